"""The checks of a Chargebee site, each condition made in the simulator and found over HTTP, in
words."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.checks import Checked
from services.chargebee_adapter.check import check
from tests.contract.doctor import DECIDED, of, one, results, settings
from tests.contract.test_sim_chargebee import KEY, Simulator, launched

SITE, WRITES, FAMILIES, ORDERS = (
    "Chargebee site and key",
    "Chargebee write access",
    "Chargebee item families",
    "Chargebee orders",
)
API_KEY = "TANDEM_TENANTS__ACME__CHARGEBEE__API_KEY"
ROLES = ("reader=reader-key:read_only_access", "books=books-key:read_transactional_data")


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with launched(*(part for role in ROLES for part in ("--extra-api-key", role))) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.reset()
    return running


def address(simulator: Simulator) -> str:
    return str(simulator.api.base_url).rstrip("/")


def checked(simulator: Simulator, *, key: str = KEY, **tenant: Any) -> list[Checked]:
    held = settings(
        "acme", chargebee={"base_url": address(simulator), "api_key": key}, **{**DECIDED, **tenant}
    )
    return results(check("acme", held))


def test_a_site_that_is_right_is_right(simulator: Simulator) -> None:
    """Nothing was written, and the account behind the key is told."""
    simulator.add_catalog()
    simulator.control.post("/requests/clear")
    found = checked(simulator, product={"groups": {"varer": "varer"}})
    base = address(simulator)
    assert one(found, SITE) == ("ok", f"{base} answers and takes the key", "")
    assert found[0].account == base
    assert one(found, "Chargebee clock") == ("ok", "agrees with Chargebee's within 30 s", "")
    assert one(found, WRITES) == ("ok", "the key may write", "")
    assert of(found, FAMILIES) == [
        ("ok", "1 on the site; all in use have a product group", ""),
        ("note", "'tandem' is not there yet; it is created with the first product born in Go", ""),
    ]
    assert one(found, ORDERS) == ("ok", "Orders are enabled on the site", "")
    assert simulator.control.get("/requests").json()["writes"] == 0
    assert "finding" not in {each.state for each in found}


def test_a_wrong_key_is_found_and_nothing_more_is_tried(simulator: Simulator) -> None:
    """What needs the key is not checked, and the refusals that would follow are not told."""
    simulator.control.post("/requests/clear")
    found = checked(simulator, key="not-the-key")
    state, words, fix = one(found, SITE)
    assert (state, words) == (
        "finding",
        f"{address(simulator)} refuses the API key: it is wrong, revoked, or of another site (test "
        f"and live differ)",
    )
    assert (
        fix == f"put a full-access key of this site into {API_KEY}, or correct "
        f"tenants.acme.chargebee.base_url"
    )
    assert [one(found, each)[:2] for each in (WRITES, FAMILIES, ORDERS, "webhook delivery")] == [
        ("note", "not checked: the site cannot be read")
    ] * 4
    assert simulator.control.get("/requests").json()["counts"] == {"GET /customers": 1}


@pytest.mark.parametrize(
    ("state", "words", "fix"),
    [
        (
            "not_found",
            "there is no Chargebee site ",
            "correct tenants.acme.chargebee.base_url; test sites end in -test",
        ),
        ("blocked", "lets no request of this machine through", "allow its address in Chargebee"),
        (
            "not_ready",
            "cannot be used now: ",
            "look at the network of this machine and at the state of the site",
        ),
    ],
)
def test_a_wrong_or_closed_site_is_found(
    simulator: Simulator, state: str, words: str, fix: str
) -> None:
    """The words of the API are not needed to understand it."""
    simulator.control.post("/settings", json={"site_state": state})
    told = one(checked(simulator), SITE)
    assert told[0] == "finding" and words in told[1] and told[2].startswith(fix)


def test_a_site_that_cannot_be_reached_is_found() -> None:
    """Port 1 of this machine."""
    state, words, fix = one(results(check("acme", settings("acme"))), SITE)
    assert (state, words) == (
        "finding",
        "http://127.0.0.1:1/api/v2 cannot be used now: GET http://127.0.0.1:1/api/v2/customers: "
        "cannot connect "
        "(ConnectError)",
    )
    assert fix.endswith("is tenants.acme.chargebee.base_url right?")


def test_the_old_product_catalogue_is_found(simulator: Simulator) -> None:
    """Items and item prices do not exist there."""
    simulator.control.post("/settings", json={"product_catalog_version": "v1"})
    state, words, _ = one(checked(simulator), SITE)
    assert state == "finding" and "has Product Catalog 1.0" in words


def test_a_key_that_may_only_read_is_found_without_a_write(simulator: Simulator) -> None:
    """The rest is read with it."""
    simulator.control.post("/requests/clear")
    found = checked(simulator, key="reader-key")
    assert one(found, WRITES) == (
        "finding",
        "the API key may only read",
        f"make a full-access key in Chargebee (Settings, API Keys) and put it into {API_KEY}",
    )
    assert one(found, SITE)[0] == one(found, ORDERS)[0] == "ok"
    assert simulator.control.get("/requests").json()["writes"] == 0


def test_a_key_of_another_role_is_found_where_it_is_refused(simulator: Simulator) -> None:
    """A key for transactions sees no product catalogue."""
    told = one(checked(simulator, key="books-key"), SITE)
    assert told[0] == "finding" and "the API key lacks the privilege" in told[1]
    assert told[2] == f"make a full-access key in Chargebee and put it into {API_KEY}"


def test_a_site_that_takes_no_writes_now_is_found(simulator: Simulator) -> None:
    """Its read-only mode is an outage, not a property of the key."""
    simulator.control.post("/settings", json={"site_state": "read_only"})
    state, words, _ = one(checked(simulator), WRITES)
    assert state == "finding" and "cannot be used now: " in words and words.endswith(": 503")


def test_item_families_are_held_against_the_product_groups(simulator: Simulator) -> None:
    """Unknown on the site, in use without a group; one that nothing uses needs none, nor does the
    one of Go's."""
    simulator.add_catalog()
    for family in ("tom", "tandem"):
        simulator.post("/item_families", {"id": family, "name": family})
    simulator.post(
        "/items", {"id": "go-1", "name": "fra Go", "type": "charge", "item_family_id": "tandem"}
    )
    found = of(checked(simulator, product={"groups": {"vare": "varer"}}), FAMILIES)
    assert found == [
        (
            "finding",
            "product.groups names the item family 'vare', which the site does not have",
            "correct it in tenants.acme.product.groups (on the site: tandem, tom, varer), or "
            "create the family in "
            "Chargebee",
        ),
        (
            "finding",
            "the item family 'varer' is in use and has no product group: its products cannot be "
            "created in Go",
            'add "varer" = "<code of a Go product group>" to tenants.acme.product.groups',
        ),
    ]


def test_where_many_families_have_no_group_not_all_are_asked_for(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks share the rate with a running adapter; what was left out is said."""
    monkeypatch.setattr("services.chargebee_adapter.check.site.MAX_FAMILIES_ASKED", 2)
    for family in ("a", "b", "c"):
        simulator.post("/item_families", {"id": family, "name": family})
    assert of(checked(simulator), FAMILIES)[0][:2] == (
        "note",
        "3 families have no product group; whether they are in use was asked for 2",
    )


def test_no_product_group_is_asked_for_where_nothing_is_created_in_go(simulator: Simulator) -> None:
    """A family that only has archived items needs none either."""
    simulator.add_catalog()
    create = {"product": {"to_poweroffice": "off"}}
    assert of(checked(simulator, create=create), FAMILIES)[0][0] == "ok"
    for item in ("leser", "kurs"):
        simulator.post(f"/items/{item}", {"status": "archived"})
    assert of(checked(simulator), FAMILIES)[0][0] == "ok"


def test_a_site_without_orders_is_found_where_orders_are_wanted(simulator: Simulator) -> None:
    """A note where `start.orders` is not set or nothing is created."""
    simulator.control.post("/settings", json={"orders_enabled": False})
    state, words, fix = one(checked(simulator), ORDERS)
    assert (state, words) == (
        "finding",
        "Orders are not enabled on the site (Orders are not enabled for this site)",
    )
    assert fix.startswith("enable them in Chargebee (Settings, Configure Chargebee, Orders)")
    neither = {"order": {"to_chargebee": "off", "to_poweroffice": "off"}}
    tenants: list[dict[str, Any]] = [{"start": {}}, {"create": neither}]
    for tenant in tenants:
        state, words, _ = one(checked(simulator, **tenant), ORDERS)
        assert state == "note" and words.endswith("these settings do not need them")


def test_a_clock_that_is_wrong_is_found_with_its_size(simulator: Simulator) -> None:
    """By the Date of the site's answers, also where it refuses the key."""
    simulator.control.post("/settings", json={"clock_offset_s": 7260})
    found = checked(simulator, key="not-the-key")
    assert one(found, "Chargebee clock")[:2] == (
        "finding",
        "the clock of this machine is 2.0 h behind Chargebee's",
    )
    simulator.control.post("/settings", json={"clock_offset_s": -45})
    words = one(checked(simulator), "Chargebee clock")[1]
    assert words in {
        f"the clock of this machine is {size} s ahead of Chargebee's" for size in (44, 45, 46)
    }


def test_a_spent_rate_is_told_as_such(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not as a site that is away."""
    monkeypatch.setattr("runtime.checks.STEP_S", 0.5)
    simulator.control.post("/settings", json={"rate_limit_per_minute": 3})
    words = [each.words for each in checked(simulator) if each.state == "finding"]
    assert words[0] == "the rate limit is spent (429)"


def test_the_command_prints_json_lines_and_no_secret(simulator: Simulator, tmp_path: Path) -> None:
    """With a key that is refused, a receiver that is absent, and every secret a canary; codes 3 and
    2."""
    path = tmp_path / "tandem.toml"
    path.write_text(f"""
[ports]
chargebee_adapter = 1
[tenants.acme]
chargebee.base_url = "{address(simulator)}"
poweroffice.environment = "demo"
""")
    names = (
        "CHARGEBEE__API_KEY",
        "CHARGEBEE__WEBHOOK_USERNAME",
        "CHARGEBEE__WEBHOOK_PASSWORD",
        "POWEROFFICE__APPLICATION_KEY",
        "POWEROFFICE__CLIENT_KEY",
        "POWEROFFICE__SUBSCRIPTION_KEY",
    )
    secrets = {
        f"TANDEM_TENANTS__ACME__{name}": f"canary-{number}-of-a-secret"
        for number, name in enumerate(names)
    }
    environment = {**os.environ, "TANDEM_CONFIG": str(path), **secrets}
    command = [sys.executable, "-m", "services.chargebee_adapter", "check"]
    done = subprocess.run(
        [*command, "acme"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "canary" not in done.stdout + done.stderr
    lines = [msgspec.json.decode(line, type=Checked) for line in done.stdout.splitlines()]
    assert {each.tenant for each in lines} == {"acme"}
    assert (lines[0].check, lines[0].state) == (SITE, "finding")
    for arguments in (["nobody"], []):
        refused = subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert (refused.returncode, refused.stderr) == (2, "check TENANT, one of: acme\n")


SALES = "Chargebee invoices and orders"


def bill(simulator: Simulator, item_price: str, *, is_paid: bool = True) -> None:
    form = {
        "customer_id": "kari",
        "currency_code": "NOK",
        "item_prices[item_price_id][0]": item_price,
    }
    answer = simulator.api.post("/invoices/create_for_charge_items_and_charges", data=form)
    assert answer.status_code == 200, answer.text
    if is_paid:
        path = f"/invoices/{answer.json()['invoice']['id']}/record_payment"
        simulator.api.post(path, data={"transaction[payment_method]": "cash"}).raise_for_status()


def sell(simulator: Simulator) -> None:
    """A customer, goods and a service."""
    simulator.add_catalog()
    simulator.api.post(
        "/customers", data={"id": "kari", "last_name": "Nordmann"}
    ).raise_for_status()
    for id, is_shippable in (("ruter", "true"), ("raad", "false")):
        item = {
            "id": id,
            "name": id,
            "type": "charge",
            "item_family_id": "varer",
            "is_shippable": is_shippable,
        }
        simulator.api.post("/items", data=item).raise_for_status()
        price = {
            "id": f"{id}-NOK",
            "item_id": id,
            "name": f"{id} NOK",
            "price": 10000,
            "currency_code": "NOK",
        }
        simulator.api.post("/item_prices", data=price).raise_for_status()


def test_a_site_without_goods_sells_nothing_by_orders(simulator: Simulator) -> None:
    """By invoices it does; the counts stand in both, and orders need not be enabled then."""
    sell(simulator)
    bill(simulator, "raad-NOK")
    bill(simulator, "raad-NOK", is_paid=False)
    start: dict[str, Any] = {"start": {"orders": "2026-01-01"}}
    state, words, fix = one(checked(simulator, **start), SALES)
    assert state == "finding"
    assert words.startswith(
        "of 2 invoices since 2026-01-01 0 have orders that hold the whole amount, 0 in part, 2 none"
    )
    assert "(1 of those not paid yet)" in words
    assert fix.endswith(
        'set tenants.acme.order.source = "invoices", which carries each invoice whole'
    )
    simulator.control.post("/settings", json={"orders_enabled": False})
    found = checked(simulator, order={"source": "invoices"}, **start)
    assert one(found, SALES)[0] == "ok"
    assert one(found, ORDERS)[0] == "note"


def test_goods_and_services_are_told_apart(simulator: Simulator) -> None:
    sell(simulator)
    for price in ("ruter-NOK", "raad-NOK"):
        bill(simulator, price)
    state, words, _ = one(checked(simulator, start={"orders": "2026-01-01"}), SALES)
    assert state == "note"
    assert "1 have orders that hold the whole amount, 0 in part, 1 none" in words


def test_a_great_site_is_asked_for_a_sample(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of requests is bounded, and the words say that these are the newest."""
    monkeypatch.setattr("services.chargebee_adapter.check.sales.PAGE", 2)
    sell(simulator)
    for _ in range(7):
        bill(simulator, "ruter-NOK")
    simulator.control.post("/requests/clear")
    state, words, _ = one(checked(simulator, start={"orders": "2026-01-01"}), SALES)
    assert state == "ok"
    assert words.startswith("of the newest 6 invoices since 2026-01-01 6 have orders")
    counts = simulator.control.get("/requests").json()["counts"]
    assert (counts["GET /invoices"], counts["GET /orders"]) == (
        3,
        2,
    )  # one of the latter asks whether there are any
