"""Lines of `tandem watch`, from the records that pass by."""

from typing import Any

import msgspec

from contracts.messages import Command, JournalEntry, Observed, Outcome, Problem
from services.console.watch import Flow

CAUSE = "t/chargebee/customer/kari/2"


def texts(flow: Flow, topic: str, message: Any) -> list[str]:
    return [line.text() for line in flow.take(topic, msgspec.json.encode(message))]


def command(op: Any = "update", **more: Any) -> Command:
    return Command(tenant="t", entity="customer", link="kari", seq=3, target="poweroffice", op=op, lane="live",
                   cause=CAUSE, fields={"phone": "1"}, **more)  # fmt: skip


def outcome(result: Any = "applied", **more: Any) -> Outcome:
    return Outcome(tenant="t", entity="customer", link="kari", seq=3, target="poweroffice", result=result,
                   at="2026-11-20T10:00:00.750000Z", **more)  # fmt: skip


def test_an_edit_is_one_line_with_the_time_it_took() -> None:
    """From the moment it was seen to the vendor's answer."""
    flow = Flow("t")
    event = Observed(tenant="t", system="chargebee", entity="customer", id="kari", version="2", mapping=1,
                     observed_at="2026-11-20T10:00:00.500000Z")  # fmt: skip
    assert texts(flow, "customers", event) == []
    assert texts(flow, "commands.poweroffice", command()) == []
    assert texts(flow, "outcomes", outcome()) == [
        "10:00:00.750  customer kari: update in poweroffice (phone): applied  250 ms"
    ]
    assert texts(flow, "outcomes", outcome("rejected", error=Problem(code="x", message="too long"))) == [
        "10:00:00.750  customer kari: in poweroffice: rejected, too long"
    ]


def test_readings_of_runs_other_tenants_and_noise_are_left_out() -> None:
    """What cannot be read is none of a watcher's business either."""
    flow = Flow("t")
    texts(flow, "commands.poweroffice", command("verify"))
    assert texts(flow, "outcomes", outcome()) == []
    assert texts(Flow("other"), "outcomes", outcome()) == []
    assert list(flow.take("outcomes", b"{")) == []


def test_decisions_that_a_person_would_ask_about_are_told() -> None:
    """A conflict, and what an operator did; an ordinary update is told by its outcome."""
    flow = Flow("t")

    def entry(rule: str, text: str, entity: Any = "customer") -> JournalEntry:
        return JournalEntry(tenant="t", entity=entity, link="kari", entry="1", at="2026-11-20T10:00:00.000000Z",
                            rule=rule, text=text, cause=CAUSE)  # fmt: skip

    assert texts(flow, "journal", entry("conflict", "phone was changed on both sides")) == [
        "10:00:00.000  customer kari: phone was changed on both sides"
    ]
    assert texts(flow, "journal", entry("update", "update in poweroffice: phone")) == []
    assert texts(flow, "journal", entry("pause", "kim@desk asked for pause: done", None)) == [
        "10:00:00.000  signal kari: kim@desk asked for pause: done"
    ]
