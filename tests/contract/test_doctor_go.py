"""The checks of a Go company, each condition made in the simulator and found over HTTP, in
words."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from contracts.checks import Checked
from runtime.checks import impatient
from runtime.rate_limiter import RateLimiter
from services.poweroffice_adapter.check import check, checks
from tests.contract.doctor import DECIDED, of, one, results, settings
from tests.contract.test_sim_poweroffice import (
    APPLICATION_KEY,
    CLIENT_KEY,
    SUBSCRIPTION_KEY,
    Api,
    base,
    defaults,
    go,
)

__all__ = ["base", "defaults", "go"]

KEYS, PRIVILEGES, GROUPS = "Go keys", "Go privileges", "Go product groups"
RIGHT = {
    "application_key": APPLICATION_KEY,
    "client_key": CLIENT_KEY,
    "subscription_key": SUBSCRIPTION_KEY,
}
VARIABLE = "TANDEM_TENANTS__ACME__POWEROFFICE__"
COMPANY = "5b4c2a0e-7f0d-4b58-9d2f-3b8f3f1f6a10"
HOST = "https://goapi.poweroffice.net"


def checked(go: Api, *, go_settings: dict[str, Any] | None = None, **tenant: Any) -> list[Checked]:
    held = {
        "base_url": f"{go.base}/v2",
        "token_url": f"{go.base}/OAuth/Token",
        **RIGHT,
        **(go_settings or {}),
    }
    policies = {**DECIDED, "product": {"groups": {"vare": "varer"}}, **tenant}
    return results(check("acme", settings("acme", go=held, **policies)))


def test_a_company_that_is_right_is_right(go: Api) -> None:
    """It is named, so that a person sees whether it is the meant one."""
    found = checked(go)
    assert [(each.check, each.state, each.words) for each in found] == [
        (KEYS, "ok", f"they open the company Fjordvik Abonnement AS (ClientId {COMPANY})"),
        ("Go clock", "ok", "agrees with PowerOffice Go's within 30 s"),
        (PRIVILEGES, "ok", "all 7 are granted"),
        (GROUPS, "ok", "the 1 of the settings are there, with sales accounts"),
    ]
    assert found[0].account == COMPANY
    assert go.sim("/requests")["writes"] == 0


@pytest.mark.parametrize("wrong", ["application_key", "client_key"])
def test_wrong_keys_are_found_and_perhaps_of_the_other_environment(go: Api, wrong: str) -> None:
    """An address of one's own does not tell which environment it is; nothing more is tried."""
    found = checked(go, go_settings={wrong: "not-the-key"})
    assert one(found, KEYS) == (
        "finding",
        "Go refuses the application key or the client key (invalid_client); they may also be of "
        "the other environment, "
        "since demo and production keys never mix",
        f"put the keys of this company into {VARIABLE}APPLICATION_KEY and {VARIABLE}CLIENT_KEY; "
        f"the client key is "
        "shown in Go (Settings, Extensions), or correct tenants.acme.poweroffice.base_url and "
        "token_url",
    )
    for check_ in (PRIVILEGES, GROUPS):
        assert one(found, check_)[:2] == ("note", "not checked: the keys do not open Go")


def test_a_wrong_subscription_key_is_told_from_the_others(go: Api) -> None:
    """The gateway in front of Go refuses it before anybody looks at the other two."""
    assert one(checked(go, go_settings={"subscription_key": "not-the-key"}), KEYS) == (
        "finding",
        "Go refuses the subscription key",
        f"put the key of the developer portal into {VARIABLE}SUBSCRIPTION_KEY",
    )


def test_a_revoked_client_is_found(go: Api) -> None:
    """Somebody removed the integration in Go."""
    go.sim("/settings", {"revoked_clients": ["tandem"]})
    state, words, _ = one(checked(go), KEYS)
    assert state == "finding" and words.startswith(
        "Go refuses the application key or the client key (invalid_client)"
    )


class TwoEnvironments(httpx.AsyncBaseTransport):
    """Go's host with its production and its demo side, each a simulator or refusing every key. Only
    loopback."""

    def __init__(self, sides: dict[str, str]) -> None:
        self._sides, self._inner = sides, httpx.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url).startswith(HOST), request.url
        side = "demo" if request.url.path.startswith("/Demo/") else "production"
        if side not in self._sides:
            return httpx.Response(400, json={"error": "invalid_client"}, request=request)
        at = self._sides[side] + request.url.raw_path.decode().removeprefix("/Demo")
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
        content = await request.aread()
        return await self._inner.handle_async_request(
            httpx.Request(request.method, at, headers=headers, content=content)
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


def in_environment(environment: str, sides: dict[str, str], **keys: str) -> tuple[str, str, str]:
    held = settings(
        "acme",
        go={"base_url": None, "token_url": None, "environment": environment, **RIGHT, **keys},
    )

    async def run() -> list[Checked]:
        http, seen = impatient(RateLimiter(0, 1, 1), inner=TwoEnvironments(sides))
        try:
            return [each async for each in checks("acme", held.tenants["acme"], http, seen)]
        finally:
            await http.aclose()

    return one(asyncio.run(run()), KEYS)


@pytest.mark.parametrize(("said", "meant"), [("production", "demo"), ("demo", "production")])
def test_keys_of_the_other_environment_are_found_by_asking_it(
    go: Api, said: str, meant: str
) -> None:
    """Go says the same of them as of wrong keys, so the other side is asked too."""
    assert in_environment(said, {meant: go.base}) == (
        "finding",
        f"the application and client key are of Go's {meant} environment, the settings say {said}",
        f"set tenants.acme.poweroffice.environment to {meant}, or put keys of {said} into "
        f"{VARIABLE}APPLICATION_KEY "
        f"and {VARIABLE}CLIENT_KEY",
    )
    assert in_environment(said, {said: go.base})[0] == "ok"


def test_keys_that_neither_environment_takes_are_wrong(go: Api) -> None:
    """Which is said, so that nobody looks for the environment."""
    state, words, _ = in_environment(
        "demo", {"demo": go.base, "production": go.base}, client_key="not-the-key"
    )
    assert (state, words) == (
        "finding",
        "Go refuses the application key or the client key (invalid_client); the production "
        "environment does not take "
        "them either",
    )


def test_each_privilege_that_is_missing_is_named(go: Api) -> None:
    """Required ones and those for orders only; what needs a missing one is not checked."""
    go.sim("/settings", {"removed_privileges": ["Customer_Full", "Product", "OutgoingInvoice"]})
    found = checked(go)
    assert [told[:2] for told in of(found, PRIVILEGES)] == [
        (
            "finding",
            "Customer_Full is missing, and Go lists it as invalid: required, to create and change "
            "customers",
        ),
        (
            "finding",
            "Product is missing, and Go lists it as invalid: required, to read products and "
            "their groups",
        ),
        (
            "finding",
            "Product_Full is missing, and Go lists it as invalid: required, to create and change "
            "products",
        ),
        (
            "finding",
            "OutgoingInvoice is missing, and Go lists it as invalid: needed for orders only, to "
            "see what was "
            "sent; without it no order is created on either side",
        ),
    ]
    assert of(found, PRIVILEGES)[0][2] == (
        "grant it to the integration in Go (Settings, Extensions), or add its module to the "
        "company; seen by adapters "
        "in 20 min"
    )
    assert one(found, GROUPS)[:2] == ("note", "not checked: the privilege Product is missing")
    without_orders = of(checked(go, start={}), PRIVILEGES)
    assert [told[0] for told in without_orders] == ["finding", "finding", "finding", "note"]


def test_product_groups_that_are_missing_or_have_no_sales_account_are_found(go: Api) -> None:
    """As a person would leave them behind in Go."""
    go.made("/ProductGroups", {"Code": "bare", "Name": "Uten konto"})
    go.made(
        "/ProductGroups",
        {"Code": "half", "Name": "Bare avgiftspliktig", "StandardSalesAccount": 3000},
    )
    found = checked(go, product={"groups": {"a": "bare", "b": "half", "c": "varer", "d": "vare"}})
    assert of(found, GROUPS) == [
        (
            "finding",
            "the product group 'bare' has no sales account, so its products cannot be sold "
            "with VAT",
            "set its standard sales account in Go, even where the company's general sales settings "
            "name one",
        ),
        (
            "note",
            "the product group 'half' has no optional sales account, which sales without VAT take",
            "set it in Go if you sell without VAT",
        ),
        (
            "finding",
            "Go has no product group 'vare', which product.groups names for 'd'",
            "correct tenants.acme.product.groups (Go has: abonnement, bare, half, tillegg, varer), "
            "or create the group in Go",
        ),
    ]


def test_a_clock_that_is_wrong_is_found_with_its_size(go: Api) -> None:
    """By the Date of Go's answers, whatever else is wrong."""
    go.sim("/settings", {"clock_offset_s": 240})
    told = one(checked(go, go_settings={"client_key": "not-the-key"}), "Go clock")
    assert told[:2] == ("finding", "the clock of this machine is 4 min behind PowerOffice Go's")
    assert told[2] == "set it by NTP (timedatectl set-ntp true), then start the services again"


def test_an_outage_is_told_from_wrong_keys(go: Api) -> None:
    """A server that is away and an address where nothing answers."""
    go.sim("/faults", {"faults": [{"kind": "503", "match": "POST /OAuth/Token", "count": 9}]})
    state, words, fix = one(checked(go), KEYS)
    assert (
        state == "finding"
        and words.startswith("Go cannot be used now: token: ")
        and words.endswith(": 503")
    )
    assert fix.startswith("look at the network of this machine and at the state of Go")
    nowhere = one(results(check("acme", settings("acme"))), KEYS)
    assert (
        nowhere[1]
        == "Go cannot be used now: token: POST http://127.0.0.1:1/OAuth/Token: cannot connect "
        "(ConnectError)"
    )


def test_a_token_that_opens_nothing_is_found(go: Api) -> None:
    """Token endpoint and API of different installations."""
    go.sim("/settings", {"token_ttl_s": 0})
    state, words, fix = one(checked(go), KEYS)
    assert state == "finding" and "401 with a new token" in words
    assert fix == "look at the keys and addresses of tenants.acme.poweroffice"


@pytest.fixture
def secrets() -> dict[str, str]:
    names = (
        "CHARGEBEE__API_KEY",
        "POWEROFFICE__APPLICATION_KEY",
        "POWEROFFICE__CLIENT_KEY",
        "POWEROFFICE__SUBSCRIPTION_KEY",
    )
    return {
        f"TANDEM_TENANTS__ACME__{name}": f"canary-{number}-of-a-secret"
        for number, name in enumerate(names)
    }


def test_the_command_prints_json_lines_and_no_secret(
    go: Api, secrets: dict[str, str], tmp_path: Path
) -> None:
    """With every key a canary that is refused."""
    path = tmp_path / "tandem.toml"
    path.write_text(f"""
[tenants.acme]
chargebee.site = "acme-test"
poweroffice.base_url = "{go.base}/v2"
poweroffice.token_url = "{go.base}/OAuth/Token"
""")
    command = [sys.executable, "-m", "services.poweroffice_adapter", "check", "acme"]
    environment = {**os.environ, "TANDEM_CONFIG": str(path), **secrets}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "canary" not in done.stdout + done.stderr
    lines = [msgspec.json.decode(line, type=Checked) for line in done.stdout.splitlines()]
    assert [each.check for each in lines] == [KEYS, "Go clock", PRIVILEGES, GROUPS]
    assert {each.tenant for each in lines} == {"acme"}
