"""What a first run may meet at a vendor can be produced in the simulators, as the vendors'
documents describe it."""

import base64
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import chargebee
import httpx
import pytest

from tests.contract.test_sim_chargebee import KEY, Receiver, Simulator, launched
from tests.contract.test_sim_chargebee_sdk import sdk
from tests.contract.test_sim_poweroffice import Api, base, defaults, go
from tests.waiting import NEVER_S, PATIENCE_S, wait_for

__all__ = ["base", "defaults", "go", "sdk"]

HOUR_S = 3600


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with launched("--extra-api-key", "reader=reader-key:read_only_access") as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.reset()
    return running


def ahead(answer: httpx.Response) -> timedelta:
    """How far the Date header is ahead of this machine."""
    return parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)


def test_a_key_without_the_privilege_is_refused_before_its_record_is_looked_for(
    simulator: Simulator,
) -> None:
    """403 for the reader and 404 for the full key, so that the two can be told apart without
    writing anything."""
    address = simulator.api.base_url.join("customers/nobody")
    answers = [
        httpx.post(address, auth=(key, ""), trust_env=False, timeout=PATIENCE_S)
        for key in ("reader-key", KEY, "wrong")
    ]
    assert [(each.status_code, each.json()["api_error_code"]) for each in answers] == [
        (403, "api_authorization_failed"),
        (404, "resource_not_found"),
        (401, "api_authentication_failed"),
    ]


def test_the_endpoint_of_the_webhooks_is_listed_without_its_password(
    simulator: Simulator, sdk: chargebee.Chargebee
) -> None:
    """None while no address is set; the SDK reads the rest."""
    assert sdk.WebhookEndpoint.list().list == []
    hook = {
        "webhook_url": "http://127.0.0.1:1/hook",
        "webhook_username": "u",
        "webhook_password": "secret-1",
    }
    simulator.control.post("/settings", json=hook)
    endpoint = sdk.WebhookEndpoint.list({"limit": 5}).list[0].webhook_endpoint
    assert (endpoint.id, endpoint.url, endpoint.disabled) == (
        "whv2_1",
        "http://127.0.0.1:1/hook",
        False,
    )
    assert (endpoint.api_version, endpoint.chargebee_response_schema_type) == ("v2", "items")
    assert "secret-1" not in simulator.api.get("/webhook_endpoints").text
    assert sdk.WebhookEndpoint.retrieve("whv2_1").webhook_endpoint.url == endpoint.url
    assert (
        simulator.api.get("/webhook_endpoints/other").json()["api_error_code"]
        == "resource_not_found"
    )


def test_a_disabled_endpoint_is_sent_nothing(simulator: Simulator) -> None:
    """The event says so; enabled again, the next one is delivered."""
    with Receiver() as receiver:
        simulator.control.post(
            "/settings", json={"webhook_url": receiver.url, "webhook_disabled": True}
        )
        simulator.post("/customers", {"id": "a"})
        simulator.control.post("/settings", json={"webhook_disabled": False})
        simulator.post("/customers", {"id": "b"})
        assert receiver.deliveries.get(timeout=PATIENCE_S)[1]["content"]["customer"]["id"] == "b"
        assert receiver.deliveries.empty()
    listed = simulator.get("/events", **{"sort_by[asc]": "occurred_at"})["list"]
    assert listed[0]["event"]["webhook_status"] == "disabled"


def test_a_site_may_have_the_old_product_catalogue(simulator: Simulator) -> None:
    """The configuration says so; another version is refused in words."""
    simulator.control.post("/settings", json={"product_catalog_version": "v1"})
    assert simulator.get("/configurations")["configurations"][0]["product_catalog_version"] == "v1"
    assert (
        simulator.control.post("/settings", json={"product_catalog_version": "v3"}).status_code
        == 400
    )


def test_the_date_of_chargebees_answers_follows_its_clock(simulator: Simulator) -> None:
    """Of refusals and of answers of fault switches too; there is one Date."""
    simulator.control.post("/settings", json={"clock_offset_s": HOUR_S})
    simulator.control.post("/faults", json={"faults": [{"kind": "429"}]})
    for status in (429, 200, 404):
        answer = simulator.api.get("/customers/nobody" if status == 404 else "/customers")
        assert answer.status_code == status
        assert abs(ahead(answer).total_seconds() - HOUR_S) < 30
        assert len(answer.headers.get_list("date")) == 1


def test_the_date_of_gos_answers_follows_its_clock(go: Api) -> None:
    """A clock that is behind: the header is, too."""
    go.sim("/settings", {"clock_offset_s": -HOUR_S})
    assert abs(ahead(go.get("/ClientIntegrationInformation")).total_seconds() + HOUR_S) < 30


def test_a_slow_answer_comes_when_the_faults_are_cleared(simulator: Simulator) -> None:
    """So that a test can hold a request for as long as it takes, whatever the machine does beside
    it."""
    simulator.control.post(
        "/faults", json={"kind": "slow", "match": "POST /customers", "delay_s": NEVER_S}
    )
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(simulator.post, "/customers", {"id": "late"})
        wait_for(
            "the request is held",
            lambda: simulator.control.get("/faults").json()["faults"],
            lambda due: not due,
        )
        assert simulator.get("/customers") == {"list": []}
        simulator.control.post("/faults", json={"clear": True})
        assert answer.result()["customer"]["id"] == "late"


def test_a_fault_strikes_once_the_request_has_come_in(simulator: Simulator) -> None:
    """Who sees that it has struck may kill the caller: the request is carried out all the same."""
    fault = {"kind": "slow", "match": "POST /customers", "delay_s": NEVER_S}
    simulator.control.post("/faults", json=fault)
    body = b"id=late"
    key = base64.b64encode(f"{KEY}:".encode()).decode()
    head = (
        f"POST /api/v2/customers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {key}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        f"\r\n"
    )
    address = ("127.0.0.1", simulator.port)
    with (
        socket.create_connection(address, timeout=PATIENCE_S) as patient,
        socket.create_connection(address, timeout=PATIENCE_S) as killed,
    ):
        for caller in (patient, killed):
            caller.sendall(head.encode() + body[:3])
        assert simulator.control.get("/faults").json()["faults"]
        killed.close()
        patient.sendall(body[3:])
        wait_for(
            "the fault has struck",
            lambda: simulator.control.get("/faults").json()["faults"],
            lambda due: not due,
        )
    simulator.control.post("/faults", json={"clear": True})
    wait_for(
        "it is carried out",
        lambda: simulator.api.get("/customers/late").status_code,
        lambda status: status == 200,
    )


def test_a_window_of_gos_rate_is_over_when_it_is(go: Api) -> None:
    """A second by default; a longer one is full whatever pauses lie between the requests."""
    go.sim("/settings", {"rate_limit_per_s": 1, "rate_window_s": 3600})
    statuses = [go.get("/Currencies").status_code for _ in range(3)]
    assert statuses == [200, 429, 429]
    go.sim("/settings", {"rate_window_s": 0})
    assert go.get("/Currencies").status_code == 200
