"""`tandem forget`: no topic, store or dead letter holds an erased e-mail afterwards."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.topics import TOPICS
from runtime import embedded_kafka
from runtime.embedded_kafka import EmbeddedKafka
from tests.system.rig import Rig, link_when, tandem
from tests.waiting import wait_for

EMAIL = "glem.meg@eksempel.no"
AT_ONCE = {
    "segment.ms": "100",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "200",
    "min.cleanable.dirty.ratio": "0.001",
    "delete.retention.ms": "100",
    "file.delete.delay.ms": "100",
}


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedKafka]:
    """A Kafka of this test's own, since its files are looked through; it keeps them
    uncompressed."""
    monkeypatch.setattr(
        embedded_kafka, "PROPERTIES", f"{embedded_kafka.PROPERTIES}compression.type=uncompressed\n"
    )
    with EmbeddedKafka(tmp_path / "kafka", port=0, controller_port=0) as held:
        yield held


def holding(directory: Path) -> list[str]:
    """The files below a directory that hold the e-mail."""
    return sorted(
        str(file.relative_to(directory))
        for file in directory.rglob("*")
        if file.is_file() and EMAIL.encode() in file.read_bytes()
    )


def test_an_erased_email_is_nowhere_afterwards(broker: EmbeddedKafka, tmp_path: Path) -> None:
    """Its commands, outcomes, journal, two dead letters and the read model held it; another
    customer's stay."""
    with Rig(broker.bootstrap, tmp_path) as rig:
        rig.start()
        kept = rig.add_customer(
            id="kari", first_name="Kari", last_name="Nordmann", email="kari@eksempel.no"
        )
        rig.add_customer(id="glem", first_name="Glem", last_name="Meg", email=EMAIL)
        for key in ("kari", "glem"):
            link_when(rig, key, "linked")
        rig.fault("poweroffice", kind="error", match="PATCH /Customers/{id}", status=400, count=2)
        rig.chargebee.post("/customers/glem", data={"email": f"ny.{EMAIL}"}).raise_for_status()
        link_when(rig, "glem", "rejected")
        assert "1 dead letters" in tandem(rig, "letters")
        # What nobody can read is told by its key.
        rig.send("customers", b"demo/chargebee/glem", f'{{"email": "{EMAIL}"'.encode())
        wait_for("it is a dead letter", lambda: "2 dead letters" in tandem(rig, "letters"))
        assert holding(tmp_path / "kafka") and holding(tmp_path / "console")
        go_id = rig.links()["glem"].poweroffice.id  # type: ignore[union-attr]
        rig.chargebee.post("/customers/glem/delete").raise_for_status()
        wait_for("Chargebee's deletion is seen", lambda: rig.links()["glem"].chargebee.deleted)  # type: ignore[union-attr]
        refused = tandem(rig, "forget", "customer", "glem", code=2)
        assert (
            refused == f"refused: poweroffice still has customer {go_id}; delete it there first\n"
        )
        rig.go.delete(f"/Customers/{go_id}").raise_for_status()
        wait_for("Go's deletion is seen", lambda: rig.links()["glem"].poweroffice.deleted)  # type: ignore[union-attr]
        asyncio.run(compact_at_once(rig))
        said = tandem(rig, "forget", "customer", go_id)
        assert said.startswith("erased: ")
        assert "Kafka's files hold nothing of it after " in said

        def erased() -> bool:
            # Kafka cleans a topic once something more is written to it. The linker erases daily for
            # that; here an edit of somebody else, a run and a message that nobody can read do it.
            rig.send("customers", b"demo/chargebee/x", b"{")
            rig.chargebee.post("/customers/kari", data={"phone": f"+47 {len(rig.links())}"})
            tandem(rig, "reconcile", "--entity", "customer")
            return not holding(tmp_path / "kafka")

        wait_for("no file of Kafka holds it", erased)
        tandem(rig, "status")
        assert holding(tmp_path / "console") == []
        letters = tandem(rig, "letters")
        assert "demo/customer/glem" not in letters and "commands." not in letters
        assert not [
            each
            for each in json.loads(tandem(rig, "letters", "--json"))
            if "glem" in (each["letter"]["key"] or "")
        ]
        assert "no customer 'glem' is known" in tandem(
            rig, "links", "show", "customer", "glem", code=2
        )
        link_when(rig, kept["id"], "linked")


async def compact_at_once(rig: Rig) -> None:
    async with rig.kafka.admin() as admin:
        for topic in TOPICS:
            config = dict(topic.config) | (
                AT_ONCE if "compact" in topic.config["cleanup.policy"] else {}
            )
            resource = ConfigResource(ConfigResourceType.TOPIC, rig.kafka.name(topic.name), config)
            await admin.alter_configs([resource])
