"""Which services live and what they wait for, judged from their heartbeats and from signals that
nobody took. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

from contracts.messages import BEAT_S, Heartbeat, Signal
from contracts.said import Said, english, say
from contracts.settings import Settings
from runtime.clock import span

REQUIRED = (
    "linker",
    "chargebee_adapter",
    "poweroffice_adapter",
)  # in every partition that has a tenant
BEATS = 3  # of which none was heard of: silent
SIGNALS_MAX = 5
_SLOT = re.compile(r"\d{1,6}/[1-9]\d{0,5}")
# What services say of themselves in the words of the table.
OWN = (
    say("starting"),
    say("restoring"),
    say("reading_topics"),
    say("consumer_ended"),
    say("orders_unread"),
)
State = Literal["ready", "waiting", "silent", "stopped"]


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a service, as its newest heartbeat tells. `since` is when it began, `heard_at`
    when it last said something (ISO 8601 UTC); `problem` what it waits for, or why it ended."""

    service: str
    slot: str
    state: State
    version: str
    since: str
    heard_at: str
    problem: str | None = None

    @property
    def lives(self) -> bool:
        return self.state in ("ready", "waiting")

    def covers(self, partition: int) -> bool:
        """Whether the process takes this partition."""
        index, count = map(int, self.slot.split("/"))
        return partition % count == index

    @property
    def name(self) -> str:
        """The service; its slot too where there are several."""
        return self.service if self.slot == "0/1" else f"{self.service} {self.slot}"

    @property
    def said(self) -> list[Said]:
        """`problem` as a sentence, where it is one of ours."""
        said = said_of(self.problem or "")
        return [said] if isinstance(said, Said) else []

    @property
    def start(self) -> str:
        """The command that starts it again."""
        slot = "" if self.slot == "0/1" else f"TANDEM_SLOT={self.slot} "
        return f"{slot}python -m services.{self.service}"


class WaitingSignal(msgspec.Struct, frozen=True, kw_only=True):
    """An instruction that the linker has not taken; `by` is empty where a service gave it."""

    tenant: str
    id: str
    kind: str
    by: str
    at: str


class Judged(NamedTuple):
    """What a person has to do something about, what is worth knowing, the processes, and the
    signals that wait."""

    alerts: list[Said]
    notes: list[Said]
    processes: list[Process]
    signals: list[WaitingSignal]


def judge(
    settings: Settings,
    tenants: Collection[str],
    beats: Iterable[Heartbeat],
    signals: Iterable[Signal],
    version: str,
    now: datetime,
) -> Judged:
    """How the services stand that these tenants need. `signals` are those behind the linker's
    position, `version` is the one of whoever asks, `now` is aware."""
    limit = silence_of(settings)
    found = processes(beats, now, limit)
    alerts = [
        say("service_problem", name=each.name, why=said_of(each.problem))
        for each in found
        if each.lives and each.problem
    ]
    homes = homes_of(settings, tenants)
    for service in REQUIRED:
        alerts += _absent(service, [each for each in found if each.service == service], homes, now)
    alerts += _console([each for each in found if each.service == "console"], now)
    waiting = [
        WaitingSignal(tenant=each.tenant, id=each.id, kind=each.kind, by=each.by, at=each.at)
        for each in signals
        if each.tenant in tenants
        and _is_time(each.at)
        and now - datetime.fromisoformat(each.at) > limit
    ]
    alerts += _not_taken(waiting, now)
    return Judged(alerts, list(of_other_versions(found, version)), found, waiting)


def silence_of(settings: Settings) -> timedelta:
    """How long a process may say nothing before it counts as gone."""
    return timedelta(seconds=BEATS * BEAT_S * settings.console.patience)


def homes_of(settings: Settings, tenants: Iterable[str]) -> dict[int, list[str]]:
    """The tenants in each of their partitions, both in order."""
    homes: dict[int, list[str]] = {}
    for name in sorted(tenants):
        homes.setdefault(settings.partition_of(name), []).append(name)
    return dict(sorted(homes.items()))


def of_other_versions(found: Iterable[Process], own: str) -> Iterator[Said]:
    """A line for each process that lives and is of another release than this command."""
    for each in found:
        if each.lives and each.version != own:
            yield say("version_other", name=each.name, version=each.version, own=own)


def processes(beats: Iterable[Heartbeat], now: datetime, limit: timedelta) -> list[Process]:
    """Of each service and slot the process that began last, and those before it that live all the
    same. One that said nothing for `limit` is silent."""
    newest: dict[tuple[str, str, str], Heartbeat] = {}
    for beat in filter(_is_sound, beats):
        name = (beat.service, beat.slot, beat.since)
        if name not in newest or newest[name].beat < beat.beat:
            newest[name] = beat
    found: dict[tuple[str, str], list[Process]] = {}
    for (service, slot, _), beat in sorted(newest.items(), reverse=True):
        process = _process(beat, now, limit)
        held = found.setdefault((service, slot), [])
        if not held or process.lives:
            held.append(process)
    return [each for name in sorted(found) for each in reversed(found[name])]


def _is_sound(beat: Heartbeat) -> bool:
    """Whether it can be judged: whoever may write to Kafka may write anything."""
    return _SLOT.fullmatch(beat.slot) is not None and _is_time(beat.since) and _is_time(beat.at)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _process(beat: Heartbeat, now: datetime, limit: timedelta) -> Process:
    state: State = "waiting" if beat.problem else "ready"
    if beat.stopped:
        state = "stopped"
    elif now - datetime.fromisoformat(beat.at) > limit:
        state = "silent"
    return Process(
        service=beat.service,
        slot=beat.slot,
        state=state,
        version=beat.version,
        since=beat.since,
        heard_at=beat.at,
        problem=beat.problem,
    )


def _absent(
    service: str, held: list[Process], homes: dict[int, list[str]], now: datetime
) -> Iterator[Said]:
    """A line for each process that is gone and for each reason, with the tenants who lack it where
    not all do."""
    lacking: dict[str, tuple[Said, list[str]]] = {}
    for partition, tenants in homes.items():
        mine = [each for each in held if each.covers(partition)]
        if not any(each.lives for each in mine):
            last = max(mine, key=lambda each: each.heard_at, default=None)
            gone = _gone(service, last, now)
            lacking.setdefault(english(gone), (gone, []))[1].extend(tenants)
    every = sum(map(len, homes.values()))
    for told, tenants in lacking.values():
        names = ", ".join(tenants)
        yield told if len(tenants) == every else say("for_tenants", told=told, names=names)


def _console(held: list[Process], now: datetime) -> Iterator[Said]:
    """Commands need no console: only one that was there and is gone without a word is told."""
    if held and not any(each.lives for each in held):
        last = max(held, key=lambda each: each.heard_at)
        if last.state == "silent" or last.problem:
            yield _gone("console", last, now)


def _gone(service: str, last: Process | None, now: datetime) -> Said:
    if last is None:
        start = say("start_it", command=f"python -m services.{service}")
        return say("never_heard", service=service, start=start)
    time = moment(last.heard_at, now)
    if last.state == "stopped" and last.problem:
        why = say("ended_at", time=time, why=said_of(last.problem))
    elif last.state == "stopped":
        why = say("stopped_at", time=time)
    else:
        ago = now - datetime.fromisoformat(last.heard_at)
        why = say("silent_for", within=span(ago.total_seconds()), time=time)
    return say("was_gone", name=last.name, why=why, start=say("start_it", command=last.start))


def said_of(problem: str) -> Said | str:
    """What a service says of itself, as a sentence where it is one of OWN."""
    return next((each for each in OWN if english(each) == problem), problem)


def _not_taken(waiting: list[WaitingSignal], now: datetime) -> Iterator[Said]:
    for each in waiting[:SIGNALS_MAX]:
        told = {"id": each.id, "kind": each.kind, "tenant": each.tenant}
        time = moment(each.at, now)
        yield (
            say("signal_untaken", by=each.by, time=time, **told)
            if each.by
            else say("signal_untaken_service", time=time, **told)
        )
    if len(waiting) > SIGNALS_MAX:
        yield say("signals_more", count=len(waiting) - SIGNALS_MAX)


def moment(at: str, now: datetime) -> str:
    """A time (ISO 8601) as a person says it, the day left out where it is today's."""
    when = datetime.fromisoformat(at).astimezone(UTC)
    day = "" if when.date() == now.astimezone(UTC).date() else f"{when:%Y-%m-%d} "
    return f"{day}{when:%H:%M:%S} UTC"
