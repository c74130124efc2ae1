"""Server time as the API writes it: UTC, seven fraction digits, never the same twice."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta, timezone

from simulators.poweroffice.settings import Settings

TICKS_PER_S = 10_000_000  # one tick is 100 ns, the resolution of the seven digits
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?\s*(Z|z|[+-]\d\d:?\d\d)?"
)


def instant_text(ticks: int) -> str:
    """Ticks since 1970 -> "2026-11-23T08:03:00.1234567+00:00": fixed width, so text order is time
    order."""
    whole_s, fraction = divmod(ticks, TICKS_PER_S)
    moment = _EPOCH + timedelta(seconds=whole_s)
    return f"{moment.isoformat()[:19]}.{fraction:07d}+00:00"


def instant_ticks(text: str) -> int:
    """Parse an instant with `T` or blank, any count of digits (cut at seven); without offset it is
    UTC.

    Raises ValueError for anything else, so also for a plus sign that arrived as a blank.
    """
    found = _INSTANT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"The value '{text}' is not valid.")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    fraction = int((found[7] or "").ljust(7, "0")[:7])
    moment = datetime(year, month, day, hour, minute, second, tzinfo=_offset(found[8]))
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * TICKS_PER_S + fraction


def _offset(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


class Clock:
    """The machine's clock moved by `clock_offset_s`, with instants that strictly increase even when
    it jumps back."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last_ticks = 0

    @property
    def last_ticks(self) -> int:
        return self._last_ticks

    def stamp(self) -> str:
        """The present instant as API text, later than every one given before."""
        now_ticks = time.time_ns() // 100 + int(self._settings.clock_offset_s * TICKS_PER_S)
        self._last_ticks = max(now_ticks, self._last_ticks + 1)
        return instant_text(self._last_ticks)

    def not_before(self, ticks: int) -> None:
        """Give only instants after this one, for data whose times lie ahead of the machine's
        clock."""
        self._last_ticks = max(self._last_ticks, ticks)

    def today(self) -> date:
        return (datetime.now(UTC) + timedelta(seconds=self._settings.clock_offset_s)).date()

    def elapsed_s(self) -> float:
        """Seconds for lifetimes and delays: monotonic but for a changed offset, which makes them
        pass."""
        return time.monotonic() + self._settings.clock_offset_s
