"""Whether webhooks arrive: the real receiver on a port, the simulator as Chargebee, every way in
which it fails."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.requests import Request

from contracts.checks import Checked
from contracts.settings import ChargebeeSettings
from runtime.vendor import Retriable
from services.chargebee_adapter.check import check
from services.chargebee_adapter.webhooks import Receiver
from tests.contract.doctor import adapter, one, other_program, results, settings
from tests.contract.test_sim_chargebee import KEY, Simulator, launched
from tests.waiting import wait_for

RECEIVER, ENDPOINT, DELIVERY = "webhook receiver", "webhook in Chargebee", "webhook delivery"
HOOK = {"webhook_username": "hook", "webhook_password": "hook-secret"}
START = "start it again with these settings: python -m services.chargebee_adapter"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with launched() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture(autouse=True)
def started_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that serves the receiver is that of the tests, and may be younger than a few
    seconds."""
    monkeypatch.setattr("services.chargebee_adapter.check.webhooks.SETTLED_S", 0.0)


@pytest.fixture
def name() -> str:
    """A tenant of its own for each test, since the figures of the receiver are counted by
    tenant."""
    return f"acme{next(_numbers)}"


@contextmanager
def receiving(name: str, *, fails: bool = False, **held: str) -> Iterator[int]:
    """The adapter with a tenant's credentials; where it fails, as with a Kafka that is away."""

    async def take(body: bytes) -> int:
        if fails:
            raise Retriable("Kafka is away")
        return 1

    chargebee = ChargebeeSettings.model_validate({"site": "acme", "api_key": "k", **HOOK, **held})
    with adapter({name: Receiver(chargebee, take)}) as port:
        yield port


def checked(simulator: Simulator, name: str, port: int, **held: Any) -> list[Checked]:
    chargebee = {
        "base_url": str(simulator.api.base_url).rstrip("/"),
        "api_key": KEY,
        **HOOK,
        **held,
    }
    return results(check(name, settings(name, chargebee=chargebee, port=port)))


def point(simulator: Simulator, url: str, **switches: Any) -> None:
    """Where Chargebee sends its webhooks, with the right credentials unless others are given."""
    simulator.control.post(
        "/settings", json={"webhook_url": url, **HOOK, **switches}
    ).raise_for_status()


def local(port: int, name: str) -> str:
    return f"http://127.0.0.1:{port}/webhooks/chargebee/{name}"


def edited(simulator: Simulator, status: str = "failed") -> None:
    """An edit whose webhook ended in a status, the retries included."""
    simulator.post("/customers", {"id": f"c{next(_numbers)}"})
    wait_for(f"the webhook {status}", lambda: newest(simulator).get("webhook_status") == status)


def newest(simulator: Simulator) -> dict[str, Any]:
    listed = simulator.get("/events", **{"sort_by[desc]": "occurred_at", "limit": 1})["list"]
    event: dict[str, Any] = listed[0]["event"]
    return event


def test_webhooks_that_arrive_are_right(simulator: Simulator, name: str) -> None:
    """The receiver refuses what has no credentials and takes the configured ones; the newest event
    was delivered."""
    with receiving(name) as port:
        point(simulator, local(port, name))
        edited(simulator, "succeeded")
        found = checked(simulator, name, port)
    assert one(found, RECEIVER) == (
        "ok",
        f"{local(port, name)} takes the configured user name and password, and refuses others",
        "",
    )
    assert one(found, ENDPOINT) == (
        "ok",
        f"one leads to /webhooks/chargebee/{name} and is enabled",
        "",
    )
    assert one(found, DELIVERY) == ("ok", "the newest webhook was delivered", "")


def test_before_any_webhook_was_due_the_delivery_is_open(simulator: Simulator, name: str) -> None:
    """With what to do to see it."""
    with receiving(name) as port:
        point(simulator, local(port, name))
        found = checked(simulator, name, port)
    assert one(found, DELIVERY) == (
        "note",
        "no webhook was due since the adapter started",
        "edit a record in Chargebee by hand, then ask again",
    )


def test_an_adapter_that_does_not_run_is_not_asked(simulator: Simulator, name: str) -> None:
    """What depends on it is not checked; the site's side is."""
    point(simulator, f"https://proxy.example/webhooks/chargebee/{name}")
    found = checked(simulator, name, 1)
    assert one(found, RECEIVER)[:2] == (
        "note",
        "not checked: the adapter does not answer on http://127.0.0.1:1",
    )
    assert one(found, ENDPOINT)[0] == "ok"
    assert one(found, DELIVERY)[:2] == ("note", "not checked: the adapter does not take webhooks")
    assert one(checked(simulator, name, 0), RECEIVER)[:2] == (
        "note",
        "not checked: ports.chargebee_adapter is 0, a free port at each start",
    )


@pytest.mark.parametrize("status", [200, 401])
def test_another_program_on_the_port_is_found_and_told_no_password(
    simulator: Simulator, name: str, status: int
) -> None:
    """Credentials go only to what refuses us as the adapter does, not to whoever asks for some."""
    asked: list[Request] = []
    with other_program(status, asked) as port:
        found = checked(simulator, name, port)
    assert one(found, RECEIVER) == (
        "finding",
        f"what answers on http://127.0.0.1:{port} is not the Chargebee adapter (it says {status})",
        "end the other program, or set ports.chargebee_adapter",
    )
    assert [request.headers.get("authorization") for request in asked] == [None]


def test_an_adapter_with_other_settings_is_found(simulator: Simulator, name: str) -> None:
    """It does not know the tenant, or it has another password than the settings."""
    with receiving("somebody_else") as port:
        state, words, fix = one(checked(simulator, name, port), RECEIVER)
    assert (state, fix) == ("finding", START)
    assert words == (
        f"the adapter on http://127.0.0.1:{port} does not serve {name}: it was started with other "
        "settings, or for another slot"
    )
    with receiving(name, webhook_password="the-former-one") as port:
        assert one(checked(simulator, name, port), RECEIVER) == (
            "finding",
            "the running adapter has another webhook user name or password than these settings",
            START,
        )


def test_without_credentials_webhooks_are_off(simulator: Simulator, name: str) -> None:
    """A note, with what is read instead; but a webhook that leads here would be refused each
    time."""
    none = {"webhook_username": None, "webhook_password": None}
    found = checked(simulator, name, 1, **none)
    assert one(found, RECEIVER)[:2] == (
        "note",
        "no credentials are set, so webhooks are refused; events are read every 60 s",
    )
    assert one(found, ENDPOINT)[:2] == (
        "note",
        "none leads here, and none is expected without credentials",
    )
    assert DELIVERY not in {each.check for each in found}
    point(simulator, f"https://proxy.example/webhooks/chargebee/{name}")
    state, words, fix = one(checked(simulator, name, 1, **none), ENDPOINT)
    assert (state, words) == (
        "finding",
        f"one leads to /webhooks/chargebee/{name}, but without credentials in the settings it "
        f"is refused",
    )
    upper = name.upper()
    assert fix == (
        f"set TANDEM_TENANTS__{upper}__CHARGEBEE__WEBHOOK_USERNAME and "
        f"TANDEM_TENANTS__{upper}__CHARGEBEE__WEBHOOK_PASSWORD to what the webhook sends, or "
        f"remove the "
        "webhook"
    )


def test_a_site_without_a_webhook_to_us_is_found(simulator: Simulator, name: str) -> None:
    """None at all, or one to another tenant; its address is not told, since addresses may hold a
    secret."""
    for url, listed in (
        (None, 0),
        ("https://proxy.example/webhooks/chargebee/other?key=canary", 1),
    ):
        simulator.control.post("/settings", json={"webhook_url": url})
        found = checked(simulator, name, 1)
        state, words, fix = one(found, ENDPOINT)
        assert (state, words) == (
            "finding",
            f"of {listed} webhooks of the site none leads to /webhooks/chargebee/{name}",
        )
        assert fix == (
            f"add one (Settings, Webhooks): https://<your proxy>/webhooks/chargebee/{name}, basic "
            f"auth, all "
            "events, API version 2"
        )
        assert "canary" not in repr(found)


def test_a_disabled_webhook_is_found(simulator: Simulator, name: str) -> None:
    """It was there once, so nobody misses it."""
    point(simulator, f"https://proxy.example/webhooks/chargebee/{name}", webhook_disabled=True)
    assert one(checked(simulator, name, 1), ENDPOINT) == (
        "finding",
        f"the one that leads to /webhooks/chargebee/{name} is disabled",
        "enable it (Settings, Webhooks)",
    )


def test_a_site_that_lists_no_webhooks_is_taken_at_its_word(
    simulator: Simulator, name: str
) -> None:
    """A note that says where to look; deliveries are judged all the same."""
    simulator.control.post(
        "/faults",
        json={"faults": [{"kind": "error", "status": 403, "match": "GET /webhook_endpoints"}]},
    )
    with receiving(name) as port:
        point(simulator, local(port, name))
        edited(simulator, "succeeded")
        found = checked(simulator, name, port)
    state, words, fix = one(found, ENDPOINT)
    assert state == "note" and words.startswith("Chargebee does not let its webhooks be listed (")
    assert (
        fix == f"look there (Settings, Webhooks): one must lead to https://<your "
        f"proxy>/webhooks/chargebee/{name}"
    )
    assert one(found, DELIVERY)[0] == "ok"


def test_another_password_in_chargebee_is_found(simulator: Simulator, name: str) -> None:
    """The site says that nothing was delivered, the adapter that it refused what came."""
    with receiving(name) as port:
        point(simulator, local(port, name), webhook_password="typed-wrong")
        edited(simulator)
        for _ in range(2):
            # The requests of the checks themselves are refused too, and must not be counted.
            state, words, fix = one(checked(simulator, name, port), DELIVERY)
    assert (state, words) == (
        "finding",
        "1 of the newest 1 webhooks since the adapter started were not delivered, and the adapter "
        "refused 4: "
        "Chargebee sends another user name or password",
    )
    assert fix.startswith(
        "set the basic auth of the webhook in Chargebee (Settings, Webhooks) to what "
        "TANDEM_TENANTS__"
    )


def test_an_address_that_does_not_lead_to_us_is_found(simulator: Simulator, name: str) -> None:
    """The receiver answers here, and nothing of what Chargebee sends arrives."""
    with receiving(name) as port:
        point(simulator, local(1, name))
        edited(simulator)
        found = checked(simulator, name, port)
    assert one(found, DELIVERY) == (
        "finding",
        "1 of the newest 1 webhooks since the adapter started were not delivered, and the adapter "
        "saw none of them: "
        "the address is not reachable",
        "check the address in Chargebee, its name and certificate, and the proxy in front of "
        "the adapter",
    )


def test_webhooks_that_the_adapter_cannot_take_are_found(simulator: Simulator, name: str) -> None:
    """Neither address nor password is blamed for them."""
    with receiving(name, fails=True) as port:
        point(simulator, local(port, name))
        edited(simulator)
        found = checked(simulator, name, port)
    assert one(found, DELIVERY) == (
        "finding",
        "1 of the newest 1 webhooks since the adapter started were not delivered; the adapter "
        "answered 4 x 503",
        "its log says why (webhook.refused)",
    )


def test_what_failed_before_the_adapter_started_says_nothing(
    simulator: Simulator, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody was there to take it."""
    monkeypatch.setattr("services.chargebee_adapter.check.webhooks.SETTLED_S", 36_000.0)
    with receiving(name) as port:
        point(simulator, local(1, name))
        edited(simulator)
        state, words, _ = one(checked(simulator, name, port), DELIVERY)
    assert (state, words) == ("note", "no webhook was due since the adapter started")


def test_what_failed_before_and_works_now_is_right(simulator: Simulator, name: str) -> None:
    """The newest webhook counts, not those of an outage that is over."""
    with receiving(name) as port:
        point(simulator, local(1, name))
        edited(simulator)
        point(simulator, local(port, name))
        edited(simulator, "succeeded")
        assert one(checked(simulator, name, port), DELIVERY)[0] == "ok"


def test_the_requests_of_the_checks_are_counted_apart(simulator: Simulator, name: str) -> None:
    """So that an alert on refused webhooks does not ring for them."""
    with receiving(name) as port:
        point(simulator, local(port, name))
        checked(simulator, name, port)

    def count(status: str) -> float | None:
        return REGISTRY.get_sample_value(
            "tandem_webhooks_total", {"tenant": name, "status": status}
        )

    assert (count("check 401"), count("check 200"), count("401"), count("200")) == (
        1,
        1,
        None,
        None,
    )
