"""What an operator tells the system, as a person would: real processes, real Kafka, the command
`tandem`."""

import csv
from pathlib import Path
from typing import Any

import msgspec

from contracts.settings import KafkaSettings
from runtime.kafka import Kafka
from tests.system.rig import Rig, link_when, tandem
from tests.waiting import NEVER_S, wait_for

HANSEN = {
    "IsPerson": True,
    "FirstName": "Ola",
    "LastName": "Hansen",
    "InvoiceDeliveryType": "Print",
}


def test_an_ambiguous_pair_is_picked_parted_and_put_back(rig: Rig) -> None:
    """A shared mailbox; nothing is created or doubled in the whole story."""
    person = rig.add_go_customer(**HANSEN, EmailAddress="post@eksempel.no")
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann", email="post@eksempel.no")
    rig.start()
    assert link_when(rig, "kari", "ambiguous").candidates == [f"go-{person['Id']}"]
    assert "no candidate" in tandem(
        rig, "links", "pick", "customer", "kari", "kari", "--yes", code=2
    )
    _nothing_is_done_unasked(rig, f"go-{person['Id']}")
    said = tandem(rig, "links", "pick", "customer", "kari", f"go-{person['Id']}", "--yes")
    linked = link_when(rig, "kari", "linked")
    assert set(linked.differences) == {"first_name", "last_name"}
    wait_for(
        "the reference is written",
        lambda: rig.go_customers()[0].get("ExternalImportReference") == "cb-kari",
    )
    tandem(rig, "settle", "customer", "kari", "first_name", "--keep", "chargebee")
    wait_for("Kari in Go", lambda: rig.go_customers()[0]["FirstName"] == "Kari")
    signal = said.split("signal ")[1].split(")")[0]
    link_when(rig, "kari", "linked")
    _the_story_is_told(rig, str(person["Id"]))
    tandem(rig, "links", "undo", signal)
    link_when(rig, "kari", "ignored")
    wait_for(
        "the reference is taken away",
        lambda: not rig.go_customers()[0].get("ExternalImportReference"),
    )
    rig.chargebee.post("/customers/kari", data={"phone": "+47 12"}).raise_for_status()
    rig.quiet()
    assert rig.go_customers()[0].get("PhoneNumber") is None
    assert (len(rig.go_customers()), len(rig.chargebee_list("/customers", "customer"))) == (1, 1)


def _nothing_is_done_unasked(rig: Rig, candidate: str) -> None:
    """Both records are shown, and status has the line to paste; without a terminal and without
    --yes that is all."""
    assert f"    tandem links pick customer kari {candidate}" in tandem(rig, "status").splitlines()
    told = tandem(rig, "links", "pick", "customer", "kari", candidate, code=2)
    assert "* last_name Nordmann Hansen" in " ".join(told.split())
    assert told.endswith("add --yes to go on without a question\n")
    assert link_when(rig, "kari", "ambiguous").poweroffice is None


def _the_plan_is_written_for_sign_off(rig: Rig, tmp_path: Path, held: list[str]) -> None:
    """Every field of every plan, to be signed; text from a customer can neither calculate nor be
    markup."""
    table, page = tmp_path / "plan.csv", tmp_path / "plan.html"
    printed = tandem(rig, "plan", "--csv", str(table), "--html", str(page))
    assert printed.splitlines()[-1] == "customer create in poweroffice 3"
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    written = {row["link"]: row["planned"] for row in rows if row["field"] == "first_name"}
    assert sorted(written) == held and set(written.values()) == {"'=1+1"}
    assert {(row["op"], row["target"], row["batch"], row["present"]) for row in rows} == {
        ("create", "poweroffice", "creates-1", "")
    }
    text = page.read_text(encoding="utf-8")
    assert text.count("<td>&lt;b&gt;</td>") == 3 and "<b>" not in text
    assert "cannot be written" in tandem(rig, "plan", "--csv", str(tmp_path), code=2)


def _the_story_is_told(rig: Rig, go_id: str) -> None:
    """Found by e-mail, shown by either id, and each value with the decision that it came from."""
    found: list[dict[str, Any]] = msgspec.json.decode(
        tandem(rig, "links", "find", "POST@eks", "--json")
    )
    assert [link["key"] for link in found] == ["kari"]
    assert "1 found" in tandem(rig, "links", "find", "nordmann", "--entity", "customer")
    for key in ("kari", go_id):
        shown = tandem(rig, "links", "show", "customer", key).splitlines()
        assert shown[0] == "customer Kari Nordmann (kari): linked"
        assert [line.split()[1] for line in shown if line.startswith("*")] == ["last_name"]
    story = tandem(rig, "explain", "poweroffice", "customer", go_id, "first_name")
    assert "first_name in poweroffice: Kari" in story
    assert "instead of: Ola" in story
    entries = msgspec.json.decode(tandem(rig, "explain", "chargebee", "customer", "kari", "--json"))
    rules = [entry["rule"] for entry in entries]
    assert rules.index("ambiguous") < rules.index("matched_by_operator") < rules.index("settled")
    for arguments in (
        ("links", "show", "customer", "nobody"),
        ("explain", "poweroffice", "customer", "kari"),
    ):
        assert "is known of demo" in tandem(rig, *arguments, code=2)
    assert "no tenant 'nobody'" in tandem(
        rig, "links", "find", "kari", "--tenant", "nobody", code=2
    )


def test_a_lost_map_is_brought_back_from_an_export(kafka: str, tmp_path: Path) -> None:
    """A pair that only an operator knows, since its reference belongs to another integration:
    nothing is created."""
    with Rig(kafka, tmp_path) as rig:
        person = rig.add_go_customer(
            **HANSEN, EmailAddress="ola@eksempel.no", ExternalImportReference="crm-77"
        )
        rig.add_customer(
            id="kari", first_name="Kari", last_name="Nordmann", email="kari@eksempel.no"
        )
        rig.variables = {"TANDEM_TENANTS__DEMO__MODE": "observe"}
        rig.start()
        link_when(rig, "kari", "held")
        tandem(rig, "links", "link", "customer", "kari", str(person["Id"]), "--yes")
        exported = tandem(rig, "links", "export")
        assert exported == f"entity,chargebee,poweroffice\ncustomer,kari,{person['Id']}\n"
        for name in ("linker", "chargebee_adapter", "poweroffice_adapter"):
            rig.stop(name)
        pairs = tmp_path / "links.csv"
        pairs.write_text(exported)
        rig.prefix += "again."
        rig.kafka = Kafka(KafkaSettings(bootstrap=kafka, topic_prefix=rig.prefix, partitions=1))
        rig.variables = {}
        rig.write_settings()
        tandem(rig, "topics", "create")
        rig.start("linker")
        assert (
            tandem(rig, "links", "import", str(pairs))
            == "1 linked, 0 refused, 0 were linked already\n"
        )
        rig.start("chargebee_adapter", "poweroffice_adapter")
        link_when(rig, "kari", "linked")
        assert rig.quiet() == 0
        assert tandem(rig, "links", "import", str(pairs)).splitlines()[-1] == (
            "0 linked, 0 refused, 1 were linked already"
        )
        pairs.write_text("entity,chargebee\ncustomer,kari\n")
        assert "poweroffice" in tandem(rig, "links", "import", str(pairs), code=2)


def test_a_breaker_holds_a_mass_of_creations_for_a_person(kafka: str, tmp_path: Path) -> None:
    """The batch is shown by name; one is released, another discarded."""
    settings = "breaker.creates.at_least = 2\nbreaker.creates.percent = 0\n"
    with Rig(kafka, tmp_path, settings=settings) as rig:
        rig.start()
        rig.quiet()  # what is known before the first readings are complete is no mass of creations
        rig.add_customer(
            id="first", last_name="Nordmann", first_name="F", email="first@eksempel.no"
        )
        link_when(rig, "first", "linked")
        for number in range(4):
            rig.add_customer(
                id=f"k{number}", last_name="<b>", first_name="=1+1", email=f"k{number}@eksempel.no"
            )
        # Which one the breaker lets pass is chance: changes of different records are published side
        # by side.
        held = in_state(rig, "held", 3)
        plans: list[dict[str, Any]] = msgspec.json.decode(tandem(rig, "held", "show", "--json"))
        assert {(plan["batch"], plan["op"], plan["target"]) for plan in plans} == {
            ("creates-1", "create", "poweroffice")
        }
        assert sorted(plan["link"] for plan in plans) == held
        assert "creates-1" in tandem(rig, "held", "show")
        _the_plan_is_written_for_sign_off(rig, tmp_path, held)
        assert "creates-9" in tandem(
            rig, "held", "release", "customer", "--batch", "creates-9", "--yes", code=2
        )
        tandem(rig, "held", "release", "customer", "--batch", "creates-1", "--yes")
        in_state(rig, "linked", 5)
        for number in range(4, 8):
            rig.add_customer(
                id=f"k{number}",
                last_name="Nordmann",
                first_name="K",
                email=f"k{number}@eksempel.no",
            )
        discarded = in_state(rig, "held", 2)
        tandem(rig, "held", "discard", "customer", "--yes")
        assert in_state(rig, "ignored", 2) == discarded
        assert rig.quiet() == 7
        assert tandem(rig, "held", "show") == "nothing is held\n"
        assert (
            tandem(rig, "redrive", "--entity", "customer", "--key", discarded[0])
            == "1 planned again\n"
        )
        link_when(rig, discarded[0], "linked")


def in_state(rig: Rig, state: str, count: int) -> list[str]:
    """The keys of the links in a state, in order, once there are `count` of them."""

    def there() -> list[str] | None:
        keys = sorted(key for key, link in rig.links().items() if link.state == state)
        return keys if len(keys) == count else None

    found: list[str] = wait_for(f"{count} links are {state}", there)
    return found


def test_deletions_and_a_pause_are_carried_as_told(kafka: str, tmp_path: Path) -> None:
    """A cancelled order removes its draft, a deleted customer is archived where the policy says
    so."""
    settings = 'delete.customer.to_poweroffice = "archive"\n'
    with Rig(kafka, tmp_path, settings=settings) as rig:
        rig.start()
        rig.add_item("hjul", 10000, is_shippable=True)
        rig.add_customer(
            id="kari", first_name="Kari", last_name="Nordmann", email="kari@eksempel.no"
        )
        order = rig.add_order("kari", {"hjul-NOK": 2})
        link_when(rig, order["id"], "linked", "order")
        tandem(rig, "pause", "--entity", "order")
        rig.chargebee.post(
            f"/orders/{order['id']}/cancel", data={"cancellation_reason": "product_not_required"}
        ).raise_for_status()
        link_when(rig, order["id"], "held", "order")
        assert len(rig.go_list("/SalesOrders")) == 1
        tandem(rig, "resume")
        wait_for("the draft is gone", lambda: rig.go_list("/SalesOrders") == [])
        link_when(rig, order["id"], "ignored", "order")
        rig.add_customer(id="ola", first_name="Ola", last_name="Hansen", email="ola@eksempel.no")
        link_when(rig, "ola", "linked")
        rig.chargebee.post("/customers/ola/delete").raise_for_status()
        wait_for(
            "ola is archived in Go",
            lambda: (
                [each["FirstName"] for each in rig.go_customers() if each.get("IsArchived")]
                == ["Ola"]
            ),
        )
        writes = rig.quiet()
        assert rig.quiet() == writes


def test_a_pause_takes_hold_of_what_an_adapter_has_taken_already(rig: Rig) -> None:
    """Go hangs while 20 creations are under way: after the answer to the pause none is begun, none
    is doubled."""
    rig.start()
    rig.fault(
        "poweroffice", kind="slow", match="POST /Customers", after=2, count=1000, delay_s=NEVER_S
    )
    for number in range(20):
        rig.add_customer(
            id=f"k{number}", last_name="Nordmann", first_name="K", email=f"k{number}@eksempel.no"
        )
    wait_for("some are made", lambda: len(rig.go_customers()) > 0)
    tandem(rig, "pause")
    rig.clear_faults("poweroffice")

    def all_at_rest() -> bool:
        links = list(rig.links().values())
        return len(links) == 20 and not any(link.flight for link in links)

    wait_for("nothing is under way", all_at_rest)
    states = {link.state for link in rig.links().values()}
    made = len(rig.go_customers())
    assert states == {"held", "linked"}
    assert made < 20
    assert rig.quiet() == made
    tandem(rig, "resume")
    for number in range(20):
        link_when(rig, f"k{number}", "linked")
    assert len(rig.go_customers()) == 20
