"""One table of the topics: name, key, value, settings, who writes and who reads; plus keys,
partitions and headers."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.entities import EntityName, System

DAY_MS = 24 * 60 * 60 * 1000
# `max.message.bytes` of every topic, unless kafka.max_message_bytes says another. Kafka's own
# default is 1 MB, which an order with 500 lines of long text may need.
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
_COMPACT = {
    "cleanup.policy": "compact",
    "segment.ms": "3600000",
    "min.cleanable.dirty.ratio": "0.1",
}
_COMPACT_KEPT = {
    **_COMPACT,
    "delete.retention.ms": str(30 * DAY_MS),
    "min.compaction.lag.ms": str(30 * DAY_MS),
    "max.compaction.lag.ms": str(32 * DAY_MS),
}
# What may hold personal data is compacted in time for `forget` to be done within 35 days.
_COMPACT_BOUND = {**_COMPACT, "max.compaction.lag.ms": str(32 * DAY_MS)}
# A beat of each service every few seconds: only the last one of a key counts, and who begins reads
# all of them.
_COMPACT_SOON = {
    "cleanup.policy": "compact",
    "segment.ms": "600000",
    "segment.bytes": "1048576",
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": "60000",
}
_COMPACT_STATE = {**_COMPACT_BOUND, "delete.retention.ms": str(30 * DAY_MS)}


@dataclass(frozen=True)
class Topic:
    """A topic without its prefix. `config` are Kafka topic settings."""

    name: str
    key: str
    value: str
    config: Mapping[str, str]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]


_ADAPTERS = ("chargebee_adapter", "poweroffice_adapter")
HEARTBEATS = "heartbeats"  # all in partition 0
TOPICS: tuple[Topic, ...] = (
    Topic(
        "customers",
        "tenant/system/id",
        "EntityMessage",
        _COMPACT_KEPT,
        _ADAPTERS,
        ("linker", "console"),
    ),
    Topic(
        "products",
        "tenant/system/id",
        "EntityMessage",
        _COMPACT_KEPT,
        _ADAPTERS,
        ("linker", "console"),
    ),
    Topic(
        "orders",
        "tenant/system/id",
        "EntityMessage",
        _COMPACT_KEPT,
        _ADAPTERS,
        ("linker", "console"),
    ),
    Topic(
        "commands.chargebee",
        "tenant/entity/link",
        "Command",
        _COMPACT_BOUND,
        ("linker",),
        ("chargebee_adapter", "console"),
    ),
    Topic(
        "commands.poweroffice",
        "tenant/entity/link",
        "Command",
        _COMPACT_BOUND,
        ("linker",),
        ("poweroffice_adapter", "console"),
    ),
    Topic(
        "outcomes",
        "tenant/entity/link",
        "Outcome",
        _COMPACT_BOUND,
        _ADAPTERS,
        ("linker", *_ADAPTERS, "console"),
    ),
    Topic(
        "links", "tenant/entity/link", "Link", _COMPACT_STATE, ("linker",), ("linker", "console")
    ),
    Topic(
        "control", "tenant/kind/id", "Control", _COMPACT_STATE, ("linker",), ("linker", "console")
    ),
    Topic(
        "journal",
        "tenant/entity/link/entry",
        "JournalEntry",
        {**_COMPACT_BOUND, "cleanup.policy": "compact,delete", "retention.ms": str(365 * DAY_MS)},
        ("linker",),
        ("console",),
    ),
    Topic(
        "readings",
        "tenant/system/entity/id; tenant/system/entity/~completed for ReadingCompleted",
        "ReadingMessage",
        {**_COMPACT_BOUND, "cleanup.policy": "compact,delete", "retention.ms": str(7 * DAY_MS)},
        _ADAPTERS,
        ("linker", "console"),
    ),
    Topic(
        "cursors", "tenant/system/entity", "Cursor", _COMPACT, _ADAPTERS, (*_ADAPTERS, "console")
    ),
    Topic(
        "signals",
        "tenant",
        "Signal",
        {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS)},
        ("console", "linker", *_ADAPTERS),
        ("linker", "console"),
    ),
    Topic(
        "dead-letters",
        "tenant/entity/link/seq or topic/partition/offset",
        "DeadLetter",
        _COMPACT_BOUND,
        ("linker", *_ADAPTERS),
        ("console",),
    ),
    Topic(
        HEARTBEATS,
        "service/slot",
        "Heartbeat",
        _COMPACT_SOON,
        ("linker", *_ADAPTERS, "console"),
        ("console",),
    ),
)
ENTITY_TOPICS: dict[EntityName, str] = {
    "customer": "customers",
    "product": "products",
    "order": "orders",
}
LINKER_INPUTS = ("customers", "products", "orders", "outcomes", "signals", "readings")


def partition_of(tenant: str, partitions: int) -> int:
    """The one partition of a tenant, the same in every topic, where the settings do not name
    another."""
    return zlib.crc32(tenant.encode()) % partitions


def record_key(tenant: str, system: System, record_id: str) -> bytes:
    """Key of a canonical event."""
    return f"{tenant}/{system}/{record_id}".encode()


def snapshot_key(tenant: str, system: System) -> bytes:
    """Key of SnapshotCompleted."""
    return f"{tenant}/{system}/~snapshot".encode()


def reading_key(tenant: str, system: System, entity: EntityName, record_id: str) -> bytes:
    """Key of a reading of a run; `~completed` in place of the id for the word that all has been
    read."""
    return f"{tenant}/{system}/{entity}/{record_id}".encode()


def link_key(tenant: str, entity: EntityName, link: str) -> bytes:
    """Key of a link, its commands and its outcomes."""
    return f"{tenant}/{entity}/{link}".encode()


def heartbeat_key(service: str, slot: str) -> bytes:
    """Key of a heartbeat."""
    return f"{service}/{slot}".encode()


def headers(
    *,
    type: str,
    id: str,
    source: str,
    subject: str,
    time: str,
    cause: str | None = None,
    lane: str | None = None,
    traceparent: str | None = None,
) -> list[tuple[str, bytes]]:
    """CloudEvents attributes in binary mode, plus the event that caused this message, the lane of
    the command that it answers, and the step of a W3C trace that wrote it."""
    marks = [
        ("ce_specversion", b"1.0"),
        ("ce_type", type.encode()),
        ("ce_id", id.encode()),
        ("ce_source", source.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", time.encode()),
        ("content-type", b"application/json"),
    ]
    if cause:
        marks.append(("tandem_cause", cause.encode()))
    if lane:
        marks.append(("tandem_lane", lane.encode()))
    if traceparent:
        marks.append(("traceparent", traceparent.encode()))
    return marks
