"""The AsyncAPI document: whole, without loose ends, and of the subscriptions that there are."""

import json
from collections.abc import Iterator
from typing import Any

from contracts import asyncapi
from contracts.entities import SYSTEMS
from contracts.settings import Settings
from contracts.topics import LINKER_INPUTS, TOPICS
from runtime.adapter import Adapter

DOCUMENT = json.loads(asyncapi.text("1.2.3"))


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def test_every_reference_leads_to_something() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > 40
    for reference in found:
        node = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


def test_every_topic_has_its_key_its_settings_and_a_schema_with_fields() -> None:
    assert {each["address"] for each in DOCUMENT["channels"].values()} == {t.name for t in TOPICS}
    for channel in DOCUMENT["channels"].values():
        assert (
            channel["description"].startswith("Key: tenant") or "service" in channel["description"]
        )
        assert channel["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"]
        for name in channel["messages"]:
            payload = DOCUMENT["components"]["messages"][name]["payload"]["$ref"].rpartition("/")[2]
            assert DOCUMENT["components"]["schemas"][payload]["properties"]


def test_operations_are_those_of_specification_three() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    for name, each in DOCUMENT["operations"].items():
        assert each["action"] in ("send", "receive")
        assert name.startswith(each["tags"][0]["name"])


def received(service: str) -> set[str]:
    return {
        DOCUMENT["channels"][each["channel"]["$ref"].rpartition("/")[2]]["address"]
        for each in DOCUMENT["operations"].values()
        if each["action"] == "receive" and each["tags"] == [{"name": service}]
    }


def test_what_the_services_take_in_batches_is_in_the_document() -> None:
    assert set(LINKER_INPUTS) <= received("linker")
    for system in SYSTEMS:
        adapter = Adapter(system, Settings.model_validate({"tenants": {}}), never)
        assert set(adapter.subscription().topics) <= received(f"{system}_adapter")


def never(*_: Any) -> Any:
    raise AssertionError
