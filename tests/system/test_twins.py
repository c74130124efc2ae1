"""The same company met twice once the first readings are over, on real processes."""

from typing import Any

from tests.system.rig import Rig, link_when, tandem
from tests.waiting import wait_for

NUMBER = "923609016"


def company(record_id: str, name: str, email: str) -> dict[str, str]:
    """A company as somebody enters it in Chargebee."""
    return {
        "id": record_id,
        "company": name,
        "email": email,
        "vat_number": f"NO{NUMBER}MVA",
        "billing_address[line1]": "V 1",
        "billing_address[city]": "Moss",
        "billing_address[zip]": "1530",
        "billing_address[country]": "NO",
    }


def names_in_go(rig: Rig) -> list[str]:
    return sorted(each["Name"] for each in rig.go_customers())


def test_one_company_entered_in_both_systems_within_one_poll_is_one_pair(rig: Rig) -> None:
    """Go has not been polled when Chargebee's webhook comes: the creation meets the company and
    waits for the poll."""
    rig.start()
    rig.quiet()
    rig.add_go_customer(
        Name="Samtidig AS",
        IsPerson=False,
        EmailAddress="post@samtidig.example",
        OrganizationNumber=NUMBER,
    )
    rig.add_customer(**company("sam-1", "Samtidig AS", "post@samtidig.example"))
    link = link_when(rig, "sam-1", "linked")
    assert link.poweroffice is not None
    rig.quiet()
    assert names_in_go(rig) == ["Samtidig AS"]
    assert list(rig.links("customer")) == ["sam-1"]


def test_a_second_company_of_one_number_waits_for_a_person_who_says_it_is_another(rig: Rig) -> None:
    """Nothing is made of it until then; both are listed; what was said is kept."""
    rig.start()
    rig.quiet()
    rig.add_customer(**company("nord", "Fjell Nord AS", "nord@fjell.example"))
    link_when(rig, "nord", "linked")
    rig.add_customer(**company("vest", "Fjell Vest AS", "vest@fjell.example"))
    assert link_when(rig, "vest", "ambiguous").candidates == ["nord"]
    rig.quiet()
    assert names_in_go(rig) == ["Fjell Nord AS"]
    assert rig.links("customer")["nord"].duplicates == ["vest"]
    shown = wait_for(
        "status tells of it",
        lambda: tandem(rig, "status"),
        lambda text: "Possible duplicates" in text,
    )
    assert (
        "customer Fjell Nord AS (nord) and Fjell Vest AS (vest): the same organisation number"
        in shown
    )
    told = tandem(rig, "links", "pick", "customer", "vest", "--new", "--yes").splitlines()
    assert (
        "Fjell Vest AS (vest) is none of customer Fjell Nord AS (nord): a new customer is "
        "created in Go" in told[-2]
    )
    assert told[-1].startswith("done (signal ")
    link_when(rig, "vest", "linked")
    rig.quiet()
    assert names_in_go(rig) == ["Fjell Nord AS", "Fjell Vest AS"]
    found: dict[str, Any] = {key: link.duplicates for key, link in rig.links("customer").items()}
    assert found == {"nord": [], "vest": []}
