"""The lines with which `tandem status` begins, judged from heartbeats: each case, and none while
all is well."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import pytest

from contracts.messages import Heartbeat, Signal
from contracts.said import english
from contracts.settings import KafkaSettings, Settings
from runtime.clock import iso
from services.console.doctor_services import of_prefixes, of_slots, of_versions
from services.console.services import REQUIRED, Process, WaitingSignal, judge
from tests.flow.test_broker import settings as one_tenant

NOW = datetime(2026, 11, 29, 12, 0, 50, tzinfo=UTC)
START = "start it: python -m services."
FENCED = "partition 0 was taken over by another process"


def ago(seconds: float) -> str:
    return iso(NOW - timedelta(seconds=seconds))


def beat(service: str, **facts: Any) -> Heartbeat:
    """A beat of 5 s ago of a process that runs since a minute and is ready."""
    held = {
        "slot": "0/1",
        "version": "1.0",
        "prefix": "x.",
        "since": ago(60),
        "at": ago(5),
        "beat": 7,
        **facts,
    }
    return Heartbeat(service=service, **held)


def settings(*, tenants: int = 1, patience: float = 1.0) -> Settings:
    """Tenants demo (partition 0), demo1 (partition 1), ..."""
    held = one_tenant()
    (tenant,) = held.tenants.values()
    names = {
        f"demo{number or ''}": tenant.model_copy(update={"partition": number})
        for number in range(tenants)
    }
    console = held.console.model_copy(update={"patience": patience})
    return held.model_copy(
        update={"kafka": KafkaSettings(partitions=tenants), "tenants": names, "console": console}
    )


class Told(NamedTuple):
    """What is judged, in English."""

    alerts: list[str]
    notes: list[str]
    processes: list[Process]
    signals: list[WaitingSignal]


def told(
    *beats: Heartbeat,
    without: str = "",
    signals: tuple[Signal, ...] = (),
    held: Settings | None = None,
) -> Told:
    """What is said of these beats beside those of all other services, which are well."""
    held = held or settings()
    named = {each.service for each in beats} | {without}
    others = [beat(service) for service in REQUIRED if service not in named]
    found = judge(held, list(held.tenants), [*beats, *others], signals, "1.0", NOW)
    alerts, notes = ([english(each) for each in said] for said in (found.alerts, found.notes))
    return Told(alerts, notes, found.processes, found.signals)


def test_nothing_is_said_while_all_is_well() -> None:
    found = told()
    assert (found.alerts, found.notes, found.signals) == ([], [], [])
    assert [(each.service, each.slot, each.state) for each in found.processes] == [
        (service, "0/1", "ready") for service in sorted(REQUIRED)
    ]


@pytest.mark.parametrize("service", REQUIRED)
@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (None, "never heard of; start it: python -m services.SERVICE"),
        (
            {"at": ago(31)},
            "not heard of for 31 s, since 12:00:19 UTC; start it: python -m services.SERVICE",
        ),
        ({"at": ago(30)}, None),
        (
            {"at": ago(90_000), "since": ago(90_060)},
            "not heard of for 25.0 h, since 2026-11-28 11:00:50 UTC; start it: python -m "
            "services.SERVICE",
        ),
        ({"stopped": True}, "was stopped at 12:00:45 UTC; start it: python -m services.SERVICE"),
        (
            {"stopped": True, "problem": "topic x.links has 2 partitions"},
            "ended at 12:00:45 UTC: topic x.links has 2 partitions; start it: python -m "
            "services.SERVICE",
        ),
        ({"problem": FENCED}, FENCED),
        (
            {"problem": "Kafka at k:9092 does not answer since 12:00:05 UTC"},
            "Kafka at k:9092 does not answer since 12:00:05 UTC",
        ),
        (
            {"problem": "3 of 14 topics do not exist (x.links, …); run: tandem topics create"},
            "3 of 14 topics do not exist (x.links, …); run: tandem topics create",
        ),
        (
            {"problem": "waits", "at": ago(31)},
            "not heard of for 31 s, since 12:00:19 UTC; start it: python -m services.SERVICE",
        ),
        ({"at": ago(-20)}, None),
    ],
)
def test_what_is_said_of_a_service(
    service: str, facts: dict[str, Any] | None, words: str | None
) -> None:
    """One line, that says what to do where the process is gone."""
    found = told(without=service) if facts is None else told(beat(service, **facts))
    assert found.alerts == (
        [] if words is None else [f"{service}: {words.replace('SERVICE', service)}"]
    )


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (None, None),
        ({}, None),
        ({"stopped": True}, None),
        ({"at": ago(31)}, f"console: not heard of for 31 s, since 12:00:19 UTC; {START}console"),
        ({"problem": "reading the topics"}, "console: reading the topics"),
        (
            {"stopped": True, "problem": "x differs"},
            f"console: ended at 12:00:45 UTC: x differs; {START}console",
        ),
    ],
)
def test_the_console_counts_only_where_it_was_there(
    facts: dict[str, Any] | None, words: str | None
) -> None:
    """Commands do without it."""
    found = told() if facts is None else told(beat("console", **facts))
    assert found.alerts == ([] if words is None else [words])


def test_the_process_that_began_last_counts_and_an_older_one_while_it_lives() -> None:
    """A killed one that was started again is not told of; one that was overtaken and goes on is."""
    dead = beat("linker", since=ago(600), at=ago(300), beat=30)
    assert told(dead, beat("linker")).alerts == []
    overtaken = beat("linker", since=ago(600), problem=FENCED)
    assert told(beat("linker"), overtaken).alerts == [f"linker: {FENCED}"]
    assert told(beat("linker", beat=8, problem=FENCED), beat("linker", beat=9)).alerts == []


def test_every_partition_with_a_tenant_needs_all_three() -> None:
    """By whatever slots; a line names who lacks it, and none is said of a slot that others have
    taken over."""
    held = settings(tenants=3)
    both = [beat("linker", slot=slot) for slot in ("0/2", "1/2")]
    old = beat("linker", slot="0/1", stopped=True, since=ago(9000))
    assert told(*both, held=held).alerts == []
    assert told(old, *both, held=held).alerts == []
    assert told(both[0], held=held).alerts == [f"linker: never heard of; {START}linker (for demo1)"]
    silent = beat("linker", slot="1/2", at=ago(40))
    command = "TANDEM_SLOT=1/2 python -m services.linker"
    assert told(both[0], silent, held=held).alerts == [
        f"linker 1/2: not heard of for 40 s, since 12:00:10 UTC; start it: {command} (for demo1)"
    ]
    waits = beat("linker", slot="1/2", problem="restoring its state")
    assert told(both[0], waits, held=held).alerts == ["linker 1/2: restoring its state"]
    assert judge(held, ["demo"], [both[0], *map(beat, REQUIRED[1:])], (), "1.0", NOW).alerts == []


def test_patience_is_longer_where_it_is_set() -> None:
    """A slow machine says less often that it lives."""
    assert told(beat("linker", at=ago(59)), held=settings(patience=2)).alerts == []
    assert len(told(beat("linker", at=ago(61)), held=settings(patience=2)).alerts) == 1


def test_another_version_is_a_note() -> None:
    found = told(beat("linker", version="0.9"))
    assert (found.alerts, found.notes) == ([], ["linker runs Tandem 0.9, this command is 1.0"])


def test_signals_that_nobody_took_are_named() -> None:
    """Those of three beats ago and before, of the tenants that are meant; the first few of many."""
    first = Signal(tenant="demo", id="a1", kind="mode", at=ago(45), by="kari@host")
    found = told(
        signals=(
            first,
            msgspec.structs.replace(first, id="a2", at=ago(29)),
            msgspec.structs.replace(first, id="a3", tenant="other"),
            msgspec.structs.replace(first, id="a4", kind="vendor_reachable", by=""),
        )
    )
    assert found.alerts == [
        "signal a1 (mode) of demo by kari@host: not taken since 12:00:05 UTC",
        "signal a4 (vendor_reachable) of demo by a service: not taken since 12:00:05 UTC",
    ]
    assert [each.id for each in found.signals] == ["a1", "a4"]
    many = told(
        signals=tuple(msgspec.structs.replace(first, id=str(number)) for number in range(7))
    )
    assert (len(many.alerts), many.alerts[-1]) == (
        6,
        "2 more signals are not taken; --json lists all",
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"slot": "x"},
        {"slot": "0/0"},
        {"slot": ""},
        {"at": "yesterday"},
        {"since": "2026-11-29T12:00:00"},
    ],
)
def test_a_beat_that_makes_no_sense_is_none(facts: dict[str, Any]) -> None:
    """Whoever may write to Kafka may write anything."""
    assert told(beat("linker", **facts)).alerts == [f"linker: never heard of; {START}linker"]
    strange = Signal(tenant="demo", id="a1", kind="mode", at="yesterday")
    assert told(signals=(strange,)).alerts == []


def test_without_a_tenant_nothing_is_missing() -> None:
    held = settings().model_copy(update={"tenants": {}})
    assert judge(held, [], [], (), "1.0", NOW).alerts == []


# -- what the doctor makes of them


def live(service: str, slot: str, **facts: Any) -> Process:
    held = {"state": "ready", "version": "1.0", "since": ago(60), "heard_at": ago(5), **facts}
    return Process(service=service, slot=slot, **held)


def found(*slots: str) -> list[tuple[str, str | None]]:
    held = settings(tenants=3)
    return [
        (each.words, each.fix) for each in of_slots(held, [live("linker", slot) for slot in slots])
    ]


def test_slots_that_cover_every_tenant_once_are_right() -> None:
    """One, two, or three; and none at all is told elsewhere."""
    for slots in (("0/1",), ("0/2", "1/2"), ("0/3", "1/3", "2/3"), ()):
        assert found(*slots) == []


def test_slots_that_leave_a_tenant_out_or_share_one_are_found() -> None:
    """With the command that is missing, or what to end."""
    fix = "start it in the slots that are missing: TANDEM_SLOT=1/2 python -m services.linker"
    assert found("0/2") == [("linker runs in slot 0/2 only: nobody works for demo1", fix)]
    shared = "end all but one of them: the one that began last works, the others wait"
    assert found("0/1", "0/2") == [
        (
            "linker runs in slot 0/1 and 0/2: partition 0, 2 is taken by more than one process",
            shared,
        )
    ]
    assert [words for words, _ in found("0/3", "0/3")] == [
        "linker runs in slot 0/3 and 0/3 only: nobody works for demo1, demo2",
        "linker runs in slot 0/3 and 0/3: partition 0 is taken by more than one process",
    ]


def test_other_versions_and_prefixes_are_notes() -> None:
    """Another installation may live on the same Kafka, and an upgrade may be under way."""
    (note,) = of_versions([live("linker", "0/1", version="0.9"), live("linker", "0/1")], "1.0")
    assert (note.state, note.words) == ("note", "linker runs Tandem 0.9, this command is 1.0")
    held = settings().model_copy(update={"kafka": KafkaSettings(topic_prefix="tandem.")})
    (note,) = of_prefixes(held, {"x.": ["console", "linker"]})
    assert (note.state, note.words) == (
        "note",
        "no service is heard of under 'tandem.'; services run with kafka.topic_prefix = 'x.' "
        "(console, linker)",
    )
