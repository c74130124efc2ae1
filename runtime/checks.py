"""How a check before the start asks a vendor: short timeouts, the vendor's clock, one result at a
time, no secrets."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec
from pydantic import BaseModel, SecretStr

from contracts.checks import Checked, finding, not_checked, note, ok
from contracts.entities import System
from contracts.said import Said
from contracts.settings import Settings, SettingsError, load
from runtime.clock import span
from runtime.harmless import printable, shortened
from runtime.rate_limiter import RateLimiter
from runtime.transport import VendorTransport
from runtime.vendor import VendorError

REQUEST_S, STEP_S, TOTAL_S = 5.0, 8.0, 20.0
READ_ATTEMPTS = 2
MAX_SKEW_S = 30.0
MIN_HIDDEN_CHARS, MAX_WORDS_CHARS = 8, 500
FOUND, UNUSABLE = 3, 2

Check = Callable[[str, Settings], AsyncIterator[Checked]]


@dataclass
class Seen:
    """What the answers of a vendor show besides their content. `skew_s`: how far its clock is ahead
    of this one."""

    skew_s: float | None = None
    status: int | None = None

    def look(self, answer: httpx.Response) -> None:
        """Take note of an answer's status and Date (RFC 9110: whole seconds, GMT)."""
        self.status = answer.status_code
        try:
            at = parsedate_to_datetime(answer.headers.get("date", ""))
            self.skew_s = at.timestamp() - time.time()
        except (ValueError, TypeError):
            return


def impatient(
    limiter: RateLimiter,
    *,
    locked: Callable[[httpx.Response], bool] = lambda _: False,
    patience: float = 1.0,
    inner: httpx.AsyncBaseTransport | None = None,
) -> tuple[VendorTransport, Seen]:
    """Connections that give up soon (times `patience`), and what is seen of their answers."""
    seen = Seen()
    transport = VendorTransport(
        limiter,
        timeout_s=REQUEST_S * patience,
        read_attempts=READ_ATTEMPTS,
        locked=locked,
        look=seen.look,
        inner=inner,
    )
    return transport, seen


def clock(check: str, seen: Seen, vendor: str) -> Checked:
    """Whether this machine and a vendor agree about the time; both cursors and tokens live by
    it."""
    if seen.skew_s is None:
        return note(check, f"{vendor} says no time in its answers")
    if abs(seen.skew_s) <= MAX_SKEW_S:
        return ok(check, f"agrees with {vendor}'s within {MAX_SKEW_S:.0f} s")
    where = "behind" if seen.skew_s > 0 else "ahead of"
    words = f"the clock of this machine is {span(abs(seen.skew_s))} {where} {vendor}'s"
    return finding(
        check, words, "set it by NTP (timedatectl set-ntp true), then start the services again"
    )


class Steps:
    """The checks of one tenant at one vendor: each may take STEP_S, all of them TOTAL_S, both times
    `patience`."""

    def __init__(
        self, seen: Seen, explain: Callable[[str, VendorError], Checked], patience: float = 1.0
    ) -> None:
        self._seen, self._explain = seen, explain
        self._step_s, self._total_s = STEP_S * patience, TOTAL_S * patience
        self._until = time.monotonic() + self._total_s

    async def take(self, check: str, work: Callable[[], Awaitable[list[Checked]]]) -> list[Checked]:
        """What a check found; where the vendor did not let it, what `explain` makes of the
        error."""
        left_s = min(self._step_s, self._until - time.monotonic())
        if left_s <= 0:
            return [not_checked(check, f"the checks before it took {self._total_s:.0f} s")]
        try:
            async with asyncio.timeout(left_s):
                return await work()
        except TimeoutError:
            return [self._late(check, left_s)]
        except VendorError as error:
            return [self._explain(check, error)]

    def _late(self, check: str, after_s: float) -> Checked:
        if self._seen.status == 429:
            return finding(
                check, "the rate limit is spent (429)", "wait a minute; what else uses these keys?"
            )
        words = f"no answer within {max(1.0, after_s):.0f} s"
        return finding(
            check,
            words,
            "try again; if it stays, look at the network between this machine and the vendor",
        )


def service_url(settings: Settings, service: str) -> str:
    """Where a service of this installation answers: on this machine, unless `reach` names another
    host. The console has no name there: commands run beside it."""
    port: int = getattr(settings.ports, service)
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    host: str = getattr(settings.reach, service, None) or here
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


# -- the command


def main(arguments: Sequence[str], check: Check, needs: Collection[System]) -> int:
    """`check TENANT`: one JSON line per result. 0 when nothing has to be corrected, 3 otherwise, 2
    for settings."""
    try:
        settings = load(needs=needs, tenants=True)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    if len(arguments) != 1 or arguments[0] not in settings.tenants:
        print(
            f"check TENANT, one of: {', '.join(sorted(settings.tenants)) or 'none is configured'}",
            file=sys.stderr,
        )
        return UNUSABLE
    return asyncio.run(_print(arguments[0], settings, check))


async def _print(name: str, settings: Settings, check: Check) -> int:
    secrets, code = secrets_of(settings), 0
    async for result in check(name, settings):
        if result.state == "finding":
            code = FOUND
        told = msgspec.structs.replace(discreet(result, secrets), tenant=name)
        print(msgspec.json.encode(told).decode(), flush=True)
    return code


def secrets_of(settings: Any) -> list[str]:
    """Every key and password of the settings that is long enough to be told from a word, the
    longest first. User names are left out: one may be a word that stands in every line, such as
    `chargebee`."""
    return sorted(
        {each for each in _secrets(settings) if len(each) >= MIN_HIDDEN_CHARS},
        key=len,
        reverse=True,
    )


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        names = (name for name in type(value).model_fields if not name.endswith("username"))
        yield from (secret for name in names for secret in _secrets(getattr(value, name)))
    elif isinstance(value, dict):
        yield from (secret for inner in value.values() for secret in _secrets(inner))


def discreet(result: Checked, secrets: Sequence[str]) -> Checked:
    """The same as one line that a terminal can show, without what a vendor's words might repeat of
    a secret."""
    fix = None if result.fix is None else _hidden(result.fix, secrets)
    said, fix_said = (
        [_hidden_in(each, secrets) for each in told] for told in (result.said, result.fix_said)
    )
    words = _hidden(result.words, secrets)
    return msgspec.structs.replace(result, words=words, fix=fix, said=said, fix_said=fix_said)


def _hidden_in(said: Said, secrets: Sequence[str]) -> Said:
    hidden = {
        name: _hidden(value, secrets)
        if isinstance(value, str)
        else [_hidden_in(each, secrets) for each in value]
        for name, value in said.args.items()
    }
    return Said(said.code, hidden)


def _hidden(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return shortened(printable(" ".join(text.split())), MAX_WORDS_CHARS)
