"""The three flows through the real services: what a person does on one side arrives on the other,
once."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.system.rig import Rig
from tests.waiting import wait_for


@pytest.fixture
def demo_rig(kafka: str, tmp_path: Path) -> Iterator[Rig]:
    with Rig(kafka, tmp_path, data="demo") as held:
        yield held


PERSON = {"first_name": "Kari", "last_name": "Nordmann"}
ADDRESS = {
    "billing_address[line1]": "Storgata 1",
    "billing_address[city]": "Oslo",
    "billing_address[zip]": "0150",
    "billing_address[country]": "NO",
}


def add_people(rig: Rig, count: int) -> None:
    for number in range(count):
        rig.add_customer(
            id=f"kari-{number}", email=f"kari{number}@eksempel.no", **PERSON, **ADDRESS
        )


def linked(rig: Rig, key: str) -> Any:
    link = rig.links().get(key)
    return link if link is not None and link.state == "linked" and link.flight is None else None


def stamps(rig: Rig) -> Counter[str | None]:
    return Counter(customer.get("ExternalImportReference") for customer in rig.go_customers())


def test_twenty_customers_cross(rig: Rig) -> None:
    """A snapshot of one side is created on the other, one call each."""
    add_people(rig, 20)
    rig.start()
    wait_for("20 customers in Go", lambda: len(rig.go_customers()) == 20)
    assert rig.quiet() == 20
    assert stamps(rig) == {f"cb-kari-{number}": 1 for number in range(20)}


def test_edits_cross_both_ways_once_and_nothing_follows(rig: Rig) -> None:
    """One edit is one command, also when the target normalises: Go fills a blank country with
    NO."""
    rig.add_customer(
        id="kari",
        email="kari@eksempel.no",
        phone="+47 1",
        **PERSON,
        **{k: v for k, v in ADDRESS.items() if "country" not in k},
    )
    rig.start()
    link = wait_for("kari is linked", lambda: linked(rig, "kari"))
    go_id = link.poweroffice.id
    assert rig.quiet() == 1
    rig.chargebee.post("/customers/kari", data={"phone": "+47 2"})
    wait_for(
        "the phone in Go",
        lambda: rig.go.get(f"/Customers/{go_id}").json()["PhoneNumber"] == "+47 2",
    )
    assert rig.quiet() == 2
    patch = [{"op": "replace", "path": "/EmailAddress", "value": "ny@eksempel.no"}]
    headers = {"Content-Type": "application/json-patch+json"}
    assert rig.go.patch(f"/Customers/{go_id}", json=patch, headers=headers).status_code == 200
    wait_for(
        "the e-mail in Chargebee",
        lambda: (
            rig.chargebee.get("/customers/kari").json()["customer"]["email"] == "ny@eksempel.no"
        ),
    )
    assert rig.quiet() == 3
    patch = [{"op": "replace", "path": "/MailAddress/AddressLine1", "value": "Lillegata 2"}]
    assert rig.go.patch(f"/Customers/{go_id}", json=patch, headers=headers).status_code == 200
    wait_for(
        "the address in Chargebee",
        lambda: (
            rig.chargebee.get("/customers/kari").json()["customer"]["billing_address"]["line1"]
            == "Lillegata 2"
        ),
    )
    assert rig.quiet() == 4
    updates = [entry for entry in rig.journal() if entry.rule == "update"]
    assert len(updates) == 3


def test_edits_of_both_sides_in_the_same_second_are_both_kept(rig: Rig) -> None:
    """Different fields, edited before either reaches the other side."""
    rig.add_customer(id="kari", email="kari@eksempel.no", phone="+47 1", **PERSON)
    rig.start()
    go_id = wait_for("kari is linked", lambda: linked(rig, "kari")).poweroffice.id
    rig.kill("linker")
    rig.chargebee.post("/customers/kari", data={"phone": "+47 2"})
    rig.go.patch(
        f"/Customers/{go_id}",
        json=[{"op": "replace", "path": "/EmailAddress", "value": "ny@eksempel.no"}],
        headers={"Content-Type": "application/json-patch+json"},
    )
    rig.start("linker")

    def both() -> bool:
        ours = rig.chargebee.get("/customers/kari").json()["customer"]
        theirs = rig.go.get(f"/Customers/{go_id}").json()
        return (
            (ours["phone"], ours["email"])
            == (theirs["PhoneNumber"], theirs["EmailAddress"])
            == (
                "+47 2",
                "ny@eksempel.no",
            )
        )

    wait_for("both edits on both sides", both)
    assert rig.quiet() == 3


def _in_go(rig: Rig, count: int) -> bool:
    return len(rig.go_customers()) >= count


def test_a_linker_killed_in_the_middle_of_a_backfill_doubles_and_loses_nothing(rig: Rig) -> None:
    """SIGKILL while commands are in flight, more than once."""
    add_people(rig, 80)
    for number in range(20):
        rig.add_go_customer(
            IsPerson=True, FirstName="Ola", LastName=f"Hansen{number}", InvoiceDeliveryType="Print"
        )
    rig.start()
    for target in (25, 45, 65):
        wait_for(f"{target} in Go", partial(_in_go, rig, target))
        rig.kill("linker")
        rig.start("linker")
    wait_for("100 customers in Go", lambda: len(rig.go_customers()) == 100)
    wait_for(
        "100 customers in Chargebee",
        lambda: len(rig.chargebee_list("/customers", "customer")) == 100,
    )
    assert rig.quiet() == 100
    assert max(stamps(rig)[f"cb-kari-{number}"] for number in range(80)) == 1
    assert len(rig.go_customers()) == 100


def test_a_sink_killed_after_the_vendor_committed_creates_nothing_twice(rig: Rig) -> None:
    """The reply is lost and the process too: the command comes again and finds its own record."""
    rig.fault("poweroffice", kind="drop_reply_after_commit", match="POST /Customers", count=3)
    add_people(rig, 3)
    rig.start()
    wait_for("Go committed one", lambda: len(rig.go_customers()) >= 1)
    rig.kill("poweroffice_adapter")
    rig.start("poweroffice_adapter")
    wait_for("all are linked", lambda: all(linked(rig, f"kari-{number}") for number in range(3)))
    assert rig.quiet() == 3
    assert set(stamps(rig).values()) == {1}


def test_a_command_delivered_again_after_its_outcome_writes_nothing(rig: Rig) -> None:
    """Finished is finished."""
    add_people(rig, 1)
    rig.start()
    wait_for("kari is linked", lambda: linked(rig, "kari-0"))
    writes, calls = rig.quiet(), rig.requests("poweroffice")["counts"].get("POST /Customers")
    key, value = next((k, v) for k, v in rig._collect("commands.poweroffice") if v)
    rig.send("commands.poweroffice", key, value)
    assert rig.quiet() == writes
    assert rig.requests("poweroffice")["counts"].get("POST /Customers") == calls


def test_a_poison_message_goes_to_the_dead_letters_and_the_stream_goes_on(rig: Rig) -> None:
    """With its bytes and the reason."""
    rig.start()
    rig.send("customers", b"demo/chargebee/x", b'{"type": "observed", "tenant": 7}')
    rig.send("customers", b"demo/chargebee/y", b"\xff\x00 not json")
    add_people(rig, 1)
    wait_for("the next record crosses", lambda: linked(rig, "kari-0"))
    letters = wait_for(
        "both are dead", lambda: rig.records("dead-letters"), lambda found: len(found) >= 2
    )
    assert len(letters) == 2
    assert all(letter["reason"] and letter["body_base64"] for letter in letters)


def test_webhooks_are_checked(rig: Rig) -> None:
    """Unauthenticated 401, and an unknown tenant as well; malformed 400 with a reason, too large
    413."""
    rig.start()
    url = f"{rig.url('chargebee_adapter')}/webhooks/chargebee"
    post = rig.control.post
    assert post(f"{url}/demo", content=b"{}").status_code == 401
    assert post(f"{url}/demo", content=b"{}", auth=("hook", "wrong")).status_code == 401
    malformed = post(f"{url}/demo", content=b"{no json", auth=("hook", "hook-secret"))
    assert malformed.status_code == 400
    assert malformed.json()["message"]
    assert (
        post(f"{url}/demo", content=b"x" * 1_100_000, auth=("hook", "hook-secret")).status_code
        == 413
    )
    assert post(f"{url}/nobody", content=b"{}", auth=("hook", "hook-secret")).status_code == 401
    metrics = rig.control.get(f"{rig.url('chargebee_adapter')}/metrics").text
    assert 'tandem_webhooks_total{status="400",tenant="demo"} 1.0' in metrics


def test_what_webhooks_missed_is_found_by_the_events_api(rig: Rig) -> None:
    """The adapter is down while a customer is edited, and its webhook is lost."""
    add_people(rig, 1)
    rig.start()
    go_id = wait_for("kari is linked", lambda: linked(rig, "kari-0")).poweroffice.id
    rig.control.post(f"{rig.url('chargebee')}/_sim/settings", json={"webhook_url": None})
    rig.chargebee.post("/customers/kari-0", data={"phone": "+47 5"})
    wait_for(
        "the phone in Go",
        lambda: rig.go.get(f"/Customers/{go_id}").json()["PhoneNumber"] == "+47 5",
    )


def test_a_record_that_cannot_be_mapped_is_rejected_and_tried_again(rig: Rig) -> None:
    """A person without a last name cannot be a customer in Go."""
    rig.add_customer(id="bare", email="bare@eksempel.no", first_name="Kari")
    rig.start()
    link = wait_for(
        "bare is rejected",
        lambda: (found := rig.links().get("bare")) and found.state == "rejected" and found,
    )
    assert link.problem is not None
    assert link.problem.field == "last_name"
    rig.chargebee.post("/customers/bare", data={"last_name": "Nordmann"})
    wait_for("bare is linked", lambda: linked(rig, "bare"))


def test_a_held_first_backfill_goes_on_when_a_person_releases_it(rig: Rig) -> None:
    """By default nothing is created before somebody has looked; an unknown tenant is an error in
    words."""
    rig.first_backfill = "hold"
    rig.write_settings()
    add_people(rig, 3)
    rig.start()
    wait_for(
        "three are held", lambda: [link.state for link in rig.links().values()] == ["held"] * 3
    )
    assert rig.quiet() == 0
    tandem = [sys.executable, "-m", "services.console.cli"]
    wrong = subprocess.run(
        [*tandem, "held", "release", "customer", "-t", "nobody"],
        env=rig.environment(),
        capture_output=True,
        text=True,
    )
    assert wrong.returncode == 2
    assert "nobody" in wrong.stderr
    assert (
        subprocess.run(
            [*tandem, "held", "release", "customer", "--yes"], env=rig.environment()
        ).returncode
        == 0
    )
    wait_for("three customers in Go", lambda: len(rig.go_customers()) == 3)
    assert rig.quiet() == 3
