"""`tandem replay`: a converged pair causes no write, what changed behind the system's back is
repaired exactly."""

import asyncio
import re
import signal
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from tests.system.rig import Rig, interruptible, link_when, tandem
from tests.waiting import NEVER_S, PATIENCE_S, wait_for

PEOPLE = ("kari", "ola", "per")


@pytest.fixture
def rig(unaided_rig: Rig) -> Rig:
    return unaided_rig


def converged(rig: Rig) -> tuple[dict[str, Any], int]:
    """Three customers, a product and an order on both sides, at rest; the order and the writes so
    far."""
    rig.start()
    for name in PEOPLE:
        rig.add_customer(
            id=name, first_name=name.title(), last_name="Nordmann", email=f"{name}@eksempel.no"
        )
    rig.add_item("hjul", 10000, is_shippable=True)
    for name in PEOPLE:
        link_when(rig, name, "linked")
    link_when(rig, "hjul", "linked", "product")
    order = rig.add_order("kari", {"hjul-NOK": 2})
    link_when(rig, order["id"], "linked", "order")
    return order, rig.quiet()


def go_customer(rig: Rig, name: str) -> dict[str, Any]:
    (found,) = [each for each in rig.go_customers() if each["FirstName"] == name]
    return found


def test_a_replay_writes_nothing_to_what_converged_and_repairs_exactly_what_did_not(
    rig: Rig,
) -> None:
    """The request log of both simulators counts; a dry run tells and changes nothing."""
    _, writes = converged(rig)
    said = tandem(rig, "replay", "--from", "1h")
    assert re.search(r"replay done: records \d+, asked 10, answered 10; writes 0\n$", said), said
    assert rig.writes() == writes

    product = rig.links("product")["hjul"].poweroffice
    assert product is not None
    rig.amend("chargebee", "customer", "kari", phone="+47 99")
    rig.amend("poweroffice", "product", product.id, Description="Rundt")
    reads = rig.requests("poweroffice")["counts"].get("GET /Products/{id}", 0)
    dry = tandem(rig, "replay", "--from", "1h", "--dry-run", code=3)
    assert "customer kari: would update in poweroffice: phone\n" in dry
    assert "product hjul: would update in chargebee: description\n" in dry
    assert "    found Rundt, taken for \n" in dry
    assert re.search(r"dry run done: .*different 2; writes 0\n$", dry), dry
    assert rig.requests("poweroffice")["counts"]["GET /Products/{id}"] > reads
    assert rig.quiet() == writes
    assert go_customer(rig, "Kari").get("PhoneNumber") is None

    other = tandem(rig, "replay", "--from", "1h", "--id", "ola", "--side", "chargebee", "--json")
    assert msgspec.json.decode(other)["counts"] == {
        "records": 1,
        "asked": 1,
        "answered": 1,
        "different": 0,
    }
    repaired = tandem(rig, "replay", "--from", "1h")
    assert re.search(r"different 2; writes 2\n$", repaired), repaired
    assert rig.quiet() == writes + 2
    assert go_customer(rig, "Kari")["PhoneNumber"] == "+47 99"
    assert rig.chargebee.get("/items/hjul").json()["item"]["description"] == "Rundt"
    story = tandem(
        rig, "explain", "poweroffice", "customer", go_customer(rig, "Kari")["Id"].__str__(), "phone"
    )
    assert "drift: phone in chargebee is not what it was taken for" in story
    assert "because of demo/run/" in story


def test_the_whole_log_replayed_by_offset_writes_nothing_and_a_deleted_record_is_found(
    rig: Rig,
) -> None:
    """From the first event on, one topic at a time; a Go product that somebody deleted is told as
    deleted."""
    _, writes = converged(rig)
    for entity in ("customer", "product", "order"):
        assert "writes 0" in tandem(rig, "replay", "--from", "0", "--entity", entity)
    assert rig.writes() == writes
    gone = go_customer(rig, "Per")["Id"]
    rig.go.delete(f"/Customers/{gone}").raise_for_status()
    said = tandem(rig, "replay", "--from", "0", "--entity", "customer", "--id", "per")
    assert "customer per: deleted in poweroffice is not what it was taken for" in said
    assert link_when(rig, "per", "ignored").poweroffice.deleted  # type: ignore[union-attr]
    assert rig.quiet() == writes


def test_a_replay_can_rest_go_on_and_be_cancelled(rig: Rig) -> None:
    """It goes on in the services when its terminal closes; Ctrl-C says how to find it again."""
    rig.variables = {"TANDEM_TENANTS__DEMO__SINK__RETRY_S": str(NEVER_S)}
    converged(rig)
    # Go answers once the fault is cleared; so the run cannot be over before it is cancelled.
    rig.fault("poweroffice", kind="slow", match="GET /Customers/{id}", count=1000, delay_s=NEVER_S)
    command = [
        sys.executable,
        "-m",
        "services.console.cli",
        "replay",
        "--from",
        "1h",
        "--entity",
        "customer",
    ]
    with subprocess.Popen(
        command,
        env=rig.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=interruptible,
    ) as process:
        try:
            runs = wait_for(
                "it is under way", lambda: [r for r in listed(rig) if r["state"] == "working"]
            )
            process.send_signal(signal.SIGINT)
            _, complaint = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    run_id = runs[0]["id"]
    assert process.returncode == 130
    assert f"tandem runs show {run_id}, or tandem runs cancel {run_id}" in complaint
    assert "refused: replay" in tandem(rig, "reconcile", code=2)
    tandem(rig, "runs", "pause", run_id)
    assert listed(rig)[0]["state"] == "paused"
    assert "is paused" in tandem(rig, "runs", "pause", run_id, code=2)
    tandem(rig, "runs", "resume", run_id)
    tandem(rig, "runs", "cancel", run_id)
    assert "replay cancelled" in tandem(rig, "runs", "show", run_id)
    assert "no run is under way" in tandem(rig, "runs", "cancel", run_id, code=2)
    assert "there is no run 'nonsense'" in tandem(rig, "runs", "show", "nonsense", code=2)
    rig.clear_faults("poweroffice")
    wait_for(
        "no link is left waiting", lambda: not any(link.verify for link in rig.links().values())
    )
    assert "writes 0" in tandem(rig, "replay", "--from", "1h", "--entity", "customer")


def listed(rig: Rig) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(tandem(rig, "runs", "list", "--json"))
    return found


def test_a_replay_that_cannot_be_is_refused_in_words(rig: Rig) -> None:
    """Code 2, and no run is begun."""
    converged(rig)
    for arguments, words in (
        (("--from", "yesterday"), "'yesterday' is no time: give a time such as 2026-11-28T10:00"),
        (("--from", "12"), "an offset belongs to one topic: add --entity"),
        (("--from", "1h", "--to", "2h"), "--to is not later than --from"),
        (("--from", "1h", "--id", "nobody"), "no record 'nobody' is known of demo"),
        (("--from", "2020-01-01", "--to", "2020-01-02"), "there is nothing in that range"),
        (("--from", "99999", "--entity", "order"), "there is nothing in that range"),
        (("--from", "1h", "--tenant", "acme"), "no tenant 'acme'; there are: demo"),
    ):
        assert words in tandem(rig, "replay", *arguments, code=2)
    asyncio.run(drop(rig, 3))
    said = tandem(rig, "replay", "--from", "0", "--entity", "customer", code=2)
    assert "customers begins at offset 3: what stood at 0 is dropped; use reconcile instead" in said
    assert listed(rig) == []


async def drop(rig: Rig, offset: int) -> None:
    """As retention does."""
    async with rig.kafka.admin() as admin:
        tp = TopicPartition(rig.kafka.name("customers"), 0)
        config = {rig.kafka.name("customers"): {"cleanup.policy": "compact,delete"}}
        await allow_deletion(admin, config)
        await admin.delete_records({tp: RecordsToDelete(before_offset=offset)})


async def allow_deletion(admin: AIOKafkaAdminClient, configs: dict[str, dict[str, str]]) -> None:
    """Kafka deletes no records of a topic that is only compacted."""
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    for name, values in configs.items():
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, values)])
