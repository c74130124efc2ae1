"""A request of our own whose process was killed reaches Chargebee after newer values were agreed,
on real processes."""

from tests.system.rig import Rig, link_when
from tests.waiting import NEVER_S, wait_for

LATE = "POST /customers/{id}"


def phone_in_chargebee(rig: Rig) -> str | None:
    held = rig.held("/customers/kari", "customer")
    assert held is not None
    return held.get("phone")


def test_a_request_of_a_killed_adapter_that_arrives_late_is_written_over(rig: Rig) -> None:
    """It is no edit by anybody: what was agreed since stands again in Chargebee, and Go never sees
    the old value."""
    rig.start()
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann", phone="+47 1")
    link = link_when(rig, "kari", "linked")
    assert link.poweroffice is not None
    path = f"/Customers/{link.poweroffice.id}"
    rig.quiet()
    rig.fault("chargebee", kind="slow", match=LATE, delay_s=NEVER_S)
    rig.go_edit(path, PhoneNumber="+47 2")
    waiting = rig.url("chargebee") + "/_sim/faults"
    wait_for(
        "the request is under way",
        lambda: rig.control.get(waiting).json()["faults"],
        lambda due: due == [],
    )
    rig.kill("chargebee_adapter")
    rig.start("chargebee_adapter")
    wait_for(
        "its successor has written it",
        lambda: phone_in_chargebee(rig),
        lambda held: held == "+47 2",
    )
    rig.go_edit(path, PhoneNumber="+47 3")
    wait_for(
        "the newer edit has crossed", lambda: phone_in_chargebee(rig), lambda held: held == "+47 3"
    )
    rig.quiet()
    rig.clear_faults("chargebee")
    late = wait_for(
        "it is told", lambda: [each for each in rig.journal() if each.rule == "late_write"]
    )
    assert [(each.system, each.field, each.value, each.losing) for each in late] == [
        ("chargebee", "phone", "+47 3", "+47 2"),
    ]
    wait_for(
        "what was agreed stands again",
        lambda: phone_in_chargebee(rig),
        lambda held: held == "+47 3",
    )
    rig.quiet()
    assert [each["PhoneNumber"] for each in rig.go_customers()] == ["+47 3"]
    assert not [
        each for each in rig.journal() if each.rule in ("overwritten", "conflict", "suspect")
    ]
