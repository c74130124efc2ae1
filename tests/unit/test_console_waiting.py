"""Why a record waits, computed when it is shown: what it says changes with what it is about, the
link does not."""

from typing import Any

import msgspec
import pytest

from contracts.messages import Command, Control, Cursor, Flight, Link
from services.console.known import KnownLinks
from services.console.status import tenant_status
from services.console.waiting import facts_of, reason_of, span_of
from tests.unit.test_read_model import AT, KARI, link, side

DONE = [
    ("barrier", f"{entity}/{system}", {"snapshot": "s"})
    for entity in ("customer", "product", "order")
    for system in ("chargebee", "poweroffice")
]
LOOKS = "the linker looks at it again when one of its records changes"
AT_ONCE = "and at once with tandem redrive --entity"


def now(
    link: Link,
    *controls: tuple[str, str, dict[str, Any]],
    links: Any = (),
    health: Any = None,
    mode: str = "sync",
    undecided: Any = (),
    sent_at: str = "",
    read_within_s: Any = None,
) -> str:
    """The reason of a link; `health` by system."""
    held = [
        Control(tenant="t", kind=kind, id=id, at=AT, value=value) for kind, id, value in controls
    ]
    cursors = [
        Cursor(tenant="t", system=system, entity="health", at=AT, value=value)
        for system, value in (health or {}).items()
    ]
    facts = facts_of(held, cursors, mode, undecided, read_within_s)
    return reason_of(link, facts, KnownLinks([link, *links]), sent_at) or ""


def command(entity: Any = "customer", key: str = "kari", op: Any = "create") -> Command:
    return Command(
        tenant="t",
        entity=entity,
        link=key,
        seq=1,
        target="poweroffice",
        op=op,
        lane="live",
        cause="",
    )


def waiting(*names: str, **more: Any) -> Link:
    seen = {"number": "41", "customer_id": "kari", "currency": "NOK", "total": "9"}
    return link(
        "41",
        "order",
        **{
            "state": "waiting",
            "reason": "said before",
            "waiting_on": list(names),
            "chargebee": side("41", seen),
            **more,
        },
    )


# -- the first snapshot


def test_what_waits_for_a_snapshot_says_for_which_and_why_it_does_not_come() -> None:
    held = link(
        "kari",
        state="pending",
        reason="waits for the first snapshot of both systems",
        chargebee=side("kari"),
    )
    assert now(held) == (
        "waits for the first snapshot of customers in Chargebee: not complete yet; "
        "waits for the first snapshot of customers in Go: not complete yet"
    )
    health = {"poweroffice": {"notes": {"customer": "customers are not read: no privilege"}}}
    assert now(held, DONE[0], health=health) == (
        "waits for the first snapshot of customers in Go: customers are not read: no privilege"
    )


def test_after_the_snapshots_it_is_not_said_that_they_are_waited_for() -> None:
    """Nothing else explains it, so it says when it is looked at; no clock does that."""
    held = link(
        "kari",
        state="pending",
        reason="waits for the first snapshot of both systems",
        chargebee=side("kari"),
    )
    assert now(held, *DONE) == (
        f"both first snapshots of customers are complete; {LOOKS}, or the linker starts, {AT_ONCE} "
        f"customer --key kari"
    )


def test_an_order_says_what_its_customer_waits_for_now() -> None:
    """The link keeps the words of when it was planned: the customer was pending then, and is held
    by now."""
    said = "customer kari is pending: waits for the first snapshot of both systems"
    order = waiting("customer|chargebee|kari", reason=said)
    kari = link("kari", state="pending", chargebee=side("kari"))
    assert now(order, links=[kari]).startswith(
        "customer Kari Nordmann (kari) is pending: waits for the first snapshot of customers in "
        "Chargebee"
    )
    held = msgspec.structs.replace(
        kari, state="held", batch="first", plan=command(), reason="first backfill"
    )
    assert (
        now(order, *DONE, links=[held]) == "customer Kari Nordmann (kari) is held: first backfill"
    )
    status = tenant_status([order, held], [], [], [], "sync")
    assert status.waiting[0].reason == "customer Kari Nordmann (kari) is held: first backfill"


# -- other records


def test_a_record_that_is_not_known_archived_or_there_by_now() -> None:
    order = waiting("customer|chargebee|kari", "product|chargebee|hjul")
    assert now(order) == (
        "customer kari of Chargebee is not known yet; product hjul of Chargebee is not known yet"
    )
    archived = link(
        "kari", chargebee=side("kari"), poweroffice=side("5", {**KARI, "archived": True})
    )
    hjul = link(
        "hjul", "product", chargebee=side("hjul", {"name": "Hjul"}), poweroffice=side("7", {})
    )
    assert now(order, links=[archived, hjul]) == (
        "customer Kari Nordmann (kari) is archived in Go: take it out of the archive there"
    )
    kari = link("kari", chargebee=side("kari"), poweroffice=side("5"))
    assert now(order, links=[kari, hjul]) == (
        f"what it waited for is there; {LOOKS}, {AT_ONCE} order --key 41"
    )


def test_of_many_obstacles_the_first_are_told() -> None:
    order = waiting(*(f"product|chargebee|p{number}" for number in range(9)))
    assert now(order).endswith("product p2 of Chargebee is not known yet; and 6 more")
    assert now(waiting("odd")) == "waits on odd"


def test_a_possible_twin_that_is_being_created() -> None:
    held = link(
        "ola", state="waiting", reason="x", chargebee=side("ola"), waiting_on=["link|customer|kari"]
    )
    kari = link("kari", state="creating", chargebee=side("kari"), flight=Flight(command=command()))
    assert now(held, links=[kari]) == (
        "customer Kari Nordmann (kari) may be its twin, and create in Go is under way"
    )
    assert now(held).startswith("what it waited for is there; ")


@pytest.mark.parametrize("told", ["cb-kari", "kari"])
def test_a_reference_that_the_other_system_has_not_shown(told: str) -> None:
    reason = f"its reference names {told}, which chargebee has not shown"
    held = link("go-5", state="waiting", reason=reason, poweroffice=side("5"))
    assert now(held) == reason
    assert now(held, links=[link("kari", chargebee=side("kari"))]).startswith(
        "what it waited for has been read; "
    )


def test_a_twin_that_a_creation_met() -> None:
    reason = "poweroffice 5 looks like the same customer; decided when it has been read"
    held = link("kari", state="waiting", reason=reason, chargebee=side("kari"), twins=["5"])
    assert now(held) == reason
    assert now(held, links=[link("go-5", poweroffice=side("5"))]).startswith(
        "what it waited for has been read; "
    )
    assert now(msgspec.structs.replace(held, twins=[], reason="another reason")) == "another reason"


# -- what is planned and kept


def held_as(batch: str, reason: str, **more: Any) -> Link:
    return link(
        "kari",
        state="held",
        batch=batch,
        reason=reason,
        plan=command(),
        chargebee=side("kari"),
        **more,
    )


def test_pause_and_observe_are_said_as_they_are_now() -> None:
    held = held_as("paused", "customer to poweroffice is paused; would create in poweroffice")
    pause = ("pause", "customer/poweroffice", {"at": AT})
    assert now(held, pause) == "customer to poweroffice is paused; would create in poweroffice"
    assert now(held, mode="observe") == "observe; would create in poweroffice"
    assert now(held, ("mode", "~", {"mode": "observe"})) == "observe; would create in poweroffice"
    assert (
        now(held, undecided=["invoicing.by"])
        == "observe (not set: invoicing.by); would create in poweroffice"
    )
    stopped = ("stopped", "chargebee", {"pinned": "a", "found": "b"})
    assert (
        now(held, stopped)
        == "observe (stopped: another chargebee account); would create in poweroffice"
    )
    assert now(held) == (
        f"nothing holds it any more; would create in poweroffice; {LOOKS}, {AT_ONCE} customer "
        f"--key kari"
    )
    assert "or the linker starts" in now(held_as("observe", "observe"))


@pytest.mark.parametrize(
    ("batch", "holds", "ends"),
    [
        ("first", (), ("released", "customer", {"at": AT})),
        (
            "creates-2",
            ("breaker", "customer/creates", {"batch": 2, "open": True}),
            ("breaker", "customer/creates", {"batch": 2, "open": False}),
        ),
        (
            "money-poweroffice-NOK-1",
            ("breaker", "customer/money-poweroffice-NOK", {"batch": 1, "open": True}),
            ("breaker", "customer/money-poweroffice-NOK", {"batch": 2, "open": True}),
        ),
    ],
)
def test_a_batch_holds_until_it_is_released(batch: str, holds: Any, ends: Any) -> None:
    held = held_as(batch, "the linker's words")
    assert now(held, *([holds] if holds else [])) == "the linker's words"
    assert now(held, ends).startswith("nothing holds it any more")


def test_a_paid_order_waits_until_it_is_released() -> None:
    assert now(held_as("paid", "paid in Chargebee")) == "paid in Chargebee"
    assert now(held_as("paid", "paid in Chargebee", paid_released=True)).startswith(
        "nothing holds it any more"
    )


# -- commands and vendors


def test_a_command_under_way_says_since_when_and_that_the_vendor_is_in_trouble() -> None:
    flying = link(
        "kari", state="creating", chargebee=side("kari"), flight=Flight(command=command())
    )
    assert now(flying, sent_at=AT) == "create in Go is under way since 2026-11-20T10:00:00Z"
    health = {
        "poweroffice": {"last_error": {"customer": {"error": "GET /Customers: 503", "at": AT}}}
    }
    assert (
        now(flying, health=health)
        == "create in Go is under way; Go is in trouble: GET /Customers: 503"
    )


def test_it_says_within_what_time_something_happens_by_itself_where_that_is_known() -> None:
    """The next poll of Go, and until when a first snapshot lasts at least; Chargebee tells of
    changes by itself."""
    within = {"poweroffice": 60.0}
    unread = waiting("customer|poweroffice|9")
    assert now(unread, *DONE, read_within_s=within) == (
        "customer 9 of Go is not known yet; Go is read again within 1 min"
    )
    assert now(unread, *DONE) == "customer 9 of Go is not known yet"
    away = {"poweroffice": {"last_error": "503"}}
    assert "within" not in now(unread, *DONE, health=away, read_within_s=within)
    theirs = waiting("customer|chargebee|9")
    assert now(theirs, *DONE, read_within_s=within) == "customer 9 of Chargebee is not known yet"
    unshown = link(
        "kari",
        state="waiting",
        reason="its reference names go-5, which poweroffice has not shown",
        chargebee=side("kari"),
    )
    assert now(unshown, *DONE, read_within_s=within) == (
        "its reference names go-5, which poweroffice has not shown; Go is read again within 1 min"
    )
    reading = {"since": AT, "until": "2026-11-30T10:15:00.000Z", "late_s": 900}
    first = link("kari", state="pending", chargebee=side("kari"))
    health = {"chargebee": {"first_snapshots": {"customer": reading}}}
    assert now(first, DONE[1], health=health) == (
        "waits for the first snapshot of customers in Chargebee: not complete yet, and not before "
        "2026-11-30T10:15:00Z"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "1 s"), (59.5, "60 s"), (60, "1 min"), (61, "2 min"), (7199, "120 min"), (7200, "2 h")],
)
def test_a_span_is_rounded_up(seconds: float, words: str) -> None:
    assert span_of(seconds) == words


def test_what_is_parked_says_whether_the_vendor_is_away_still() -> None:
    parked = link(
        "kari", state="parked", reason="poweroffice: GET /Customers: 503", chargebee=side("kari")
    )
    health = {"poweroffice": {"stopped": "the keys are refused"}}
    assert (
        now(parked, health=health)
        == "Go is in trouble: the keys are refused; it is sent when Go answers; "
        "Go is asked again within 1 min"
    )
    assert now(parked).startswith(
        "poweroffice: GET /Customers: 503; nothing is known to be wrong with Go now; "
    )
    assert now(msgspec.structs.replace(parked, reason="internal")) == "internal"


def test_a_plan_that_waits_for_its_turn_and_other_states_keep_their_words() -> None:
    queued = link(
        "kari",
        state="pending",
        reason="planned; waits for its turn",
        chargebee=side("kari"),
        plan=command(),
    )
    assert now(queued) == "planned; waits for its turn"
    for state in ("linked", "rejected", "ambiguous", "conflict", "ignored", "broken", "sent"):
        assert now(link("x", state=state, reason="its words", chargebee=side("x"))) == "its words"
    assert now(link("x", chargebee=side("x"))) == ""
