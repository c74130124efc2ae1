"""The AsyncAPI 3 document of the topics, made from their table and from the schemas of the
messages. Pure.

Addresses are without `kafka.topic_prefix`. `make generate` writes it to docs/asyncapi.json; the
console serves it at /asyncapi.
"""

import json
import typing
from pathlib import Path
from typing import Any

from contracts import messages, schema
from contracts.topics import TOPICS, Topic, headers

PATH = Path(__file__).parents[1] / "docs" / "asyncapi.json"
SERVICES = sorted({name for each in TOPICS for name in (*each.producers, *each.consumers)})
# Headers are CloudEvents in binary mode; messages of the changelog kind have none.
_MARKS = headers(type="", id="", source="", subject="", time="", cause="-")
HEADERS = tuple(name for name, _ in _MARKS)
_NAMES: dict[type, str] = {value: name for name, value in schema.TYPES.items()}


def types_of(topic: Topic) -> tuple[type, ...]:
    """The structs that a topic carries, by the word of its table."""
    found = getattr(messages, topic.value)
    return typing.get_args(found) or (found,)


def document(version: str) -> dict[str, Any]:
    """The whole document; `version` is the release."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tandem",
            "version": version,
            "description": "The topics between the services, without kafka.topic_prefix. Values "
            "are JSON; keys are text; a value of null is a tombstone.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": {"host": "127.0.0.1:9092", "protocol": "kafka"}},
        "channels": {_id(topic): _channel(topic) for topic in TOPICS},
        "operations": dict(_operations()),
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def text(version: str) -> str:
    """The document as it is committed."""
    return json.dumps(document(version), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _id(topic: Topic) -> str:
    return topic.name.replace(".", "_").replace("-", "_")


def _channel(topic: Topic) -> dict[str, Any]:
    names = [_NAMES[each] for each in types_of(topic)]
    return {
        "address": topic.name,
        "description": f"Key: {topic.key}.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "bindingVersion": "0.5.0",
                "topicConfiguration": {
                    name: value.split(",") if name == "cleanup.policy" else _number(value)
                    for name, value in sorted(topic.config.items())
                    if name in _BOUND
                },
                "x-config": dict(sorted(topic.config.items())),
            }
        },
    }


# What the Kafka binding 0.5.0 has a place for; the whole is in `x-config`.
_BOUND = ("cleanup.policy", "retention.ms", "retention.bytes", "delete.retention.ms")


def _number(value: str) -> int | str:
    return int(value) if value.lstrip("-").isdigit() else value


def _operations() -> typing.Iterator[tuple[str, dict[str, Any]]]:
    for service in SERVICES:
        for topic in TOPICS:
            for action, who in (("send", topic.producers), ("receive", topic.consumers)):
                if service in who:
                    channel = {"$ref": f"#/channels/{_id(topic)}"}
                    tags = [{"name": service}]
                    name = f"{service}_{action}_{_id(topic)}"
                    yield name, {"action": action, "channel": channel, "tags": tags}


def _messages() -> dict[str, Any]:
    found = dict.fromkeys(each for topic in TOPICS for each in types_of(topic))
    return {
        _NAMES[each]: {
            "name": _NAMES[each],
            "contentType": "application/json",
            "headers": {"$ref": "#/components/schemas/CloudEvents"},
            "payload": {"$ref": f"#/components/schemas/{each.__name__}"},
        }
        for each in found
    }


def _schemas() -> dict[str, Any]:
    held: dict[str, Any] = {
        "CloudEvents": {
            "type": "object",
            "description": "CloudEvents in binary mode, where the message has any.",
            "properties": {name: {"type": "string"} for name in HEADERS},
        }
    }
    for name in schema.TYPES:
        found = json.loads(json.dumps(schema.schema(name)).replace("#/$defs/", _COMPONENTS))
        held |= found["$defs"]
    return held


_COMPONENTS = "#/components/schemas/"
