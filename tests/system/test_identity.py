"""Another vendor account behind the same tenant name writes nothing and is told in words."""

from typing import Any

from tests.system.rig import Rig
from tests.system.test_vendor_trouble import add_people, wait_linked
from tests.waiting import wait_for

OTHER_CLIENT = "00000000-0000-4000-8000-000000000002"


def troubles(rig: Rig) -> list[str]:
    found: list[str] = rig.status()["tenants"]["demo"]["troubles"]
    return found


def test_another_go_client_behind_the_same_name_stops_the_tenant(rig: Rig) -> None:
    """Nothing is written to either system until the pinned client is back; then the edit made
    meanwhile crosses."""
    add_people(rig, "kari-0")
    rig.start()
    wait_linked(rig, "kari-0")
    pinned = rig.control.get(rig.url("poweroffice") + "/_sim/settings").json()["client_id"]
    rig.stop("poweroffice_adapter")
    rig.settings("poweroffice", client_id=OTHER_CLIENT)
    rig.start("poweroffice_adapter")
    wait_for(
        "the status tells of the other account",
        lambda: any(OTHER_CLIENT in line for line in troubles(rig)),
    )
    writes = rig.writes()
    rig.chargebee.post("/customers/kari-0", data={"phone": "+47 99"}).raise_for_status()
    add_people(rig, "kari-1")

    def held() -> Any:
        links = rig.links()
        return all(
            (link := links.get(key)) is not None and link.state == "held"
            for key in ("kari-0", "kari-1")
        )

    wait_for("both plans are held", held)
    assert rig.writes() == writes
    rig.stop("poweroffice_adapter")
    rig.settings("poweroffice", client_id=pinned)
    rig.start("poweroffice_adapter")
    wait_linked(rig, "kari-0", "kari-1")
    wait_for(
        "the edit crossed",
        lambda: any(each.get("PhoneNumber") == "+47 99" for each in rig.go_customers()),
    )
