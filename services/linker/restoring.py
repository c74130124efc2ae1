"""Reading the state of a linker back from `control` and `links`, also where records of them cannot
be read.

A link whose record cannot be read must not be forgotten: its records would be met as newcomers and
created once more. What is known of it stays, as broken, until a person or a new reading fills it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import structlog
from aiokafka import ConsumerRecord

from contracts.decoding import UNREADABLE
from contracts.entities import ENTITIES, FIELDS, SYSTEMS, EntityName, System
from contracts.messages import Control, Link, Side
from contracts.vendors import reference_of
from runtime.control import stand_in
from runtime.dead_letters import key_of, readable
from runtime.kafka import Kafka
from services.linker.store import Store

log = structlog.get_logger()
NUMBERED_ALIKE = ("commands.chargebee", "commands.poweroffice", "outcomes")
_control_decoder = msgspec.json.Decoder(Control)


class Lost(NamedTuple):
    """A link whose newest record cannot be read: what is known of it, why, and the facts that hold
    what follows."""

    tenant: str
    link: Link
    record: ConsumerRecord
    words: str
    controls: dict[str, dict[str, Any]]


class Restored(NamedTuple):
    """How many records of `links` were read, and the links that cannot be."""

    records: int
    lost: list[Lost]


async def restore(
    kafka: Kafka,
    stores: Mapping[str, Store],
    partitions: Iterable[int],
    take_position: Callable[[int, Control], None] = lambda _partition, _control: None,
) -> Restored:
    """Fill stores by tenant from `control` and `links`. Links that cannot be read are in no store:
    who restores writes them down as broken before it takes a message."""
    partitions = list(partitions)
    async for record in kafka.read(("control",), partitions):
        control = readable(_control_decoder, record)
        if control is None and record.value is not None:
            control, words = stand_in(record)
            log.critical(
                "control.unreadable", partition=record.partition, offset=record.offset, reason=words
            )
        if control is None:
            continue
        if control.kind == "position":
            take_position(record.partition, control)
        elif control.tenant in stores:
            stores[control.tenant].controls[f"{control.kind}/{control.id}"] = control.value
    count = 0
    async for records in kafka.read_lists(("links",), partitions):
        for record in records:
            tenant, _, name = (key_of(record) or "").partition("/")
            if name and (store := stores.get(tenant)) is not None:
                store.load(name, record.value)
                count += 1
    unread: set[str] = set()
    for tenant, store in stores.items():
        for names in store.indexing():
            unread.update(f"{tenant}/{name}" for name in names)
            await asyncio.sleep(0)  # whoever asks meanwhile how this process is has an answer
    return Restored(count, await _what_is_known(kafka, partitions, unread) if unread else [])


@dataclass
class _Traces:
    """What the topics hold of one link."""

    records: list[ConsumerRecord] = field(default_factory=list)
    seq: int = 0


async def _what_is_known(kafka: Kafka, partitions: Iterable[int], unread: set[str]) -> list[Lost]:
    """Rare, so the topics are read once more: for earlier records of these links, and for the
    greatest number that a command of theirs has had, since finished commands are known by it."""
    traces = {name: _Traces() for name in sorted(unread)}
    async for record in kafka.read(("links",), partitions):
        if (held := traces.get(key_of(record) or "")) is not None and record.value is not None:
            held.records.append(record)
    async for record in kafka.read(NUMBERED_ALIKE, partitions):
        if (held := traces.get(key_of(record) or "")) is not None:
            seq = _loose(record).get("seq")
            held.seq = max(held.seq, seq if isinstance(seq, int) else 0)
    found = [_lost(name, held) for name, held in traces.items()]
    return [each for each in found if each is not None]


def _lost(name: str, traces: _Traces) -> Lost | None:
    tenant, entity, key = (*name.split("/", 2), "", "")[:3]
    record = traces.records[-1]
    place = f"{record.topic}/{record.partition}/{record.offset}"
    if entity not in ENTITIES or not key:
        log.error(
            "record.unreadable",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=name,
            what="its key is no link's; it is skipped",
        )
        return None
    ids, entries = _ids(traces.records)
    words, controls = f"its record at {place} cannot be read; ", dict[str, dict[str, Any]]()
    if ids:
        words += "its ids are known: tandem reconcile --repair reads its records anew"
    else:
        born = reference_of("chargebee", key)
        ids = {"poweroffice": born.id} if born and born.id else {"chargebee": key}
        controls = {f"pause/{entity}/{system}": {"at": place} for system in SYSTEMS}
        words += (
            f"its twin is not known, and would be created again: {entity} is paused in both "
            f"directions until the "
            "pair is told by tandem links link; then tandem resume"
        )
    log.critical(
        "link.unreadable", tenant=tenant, link=f"{entity}/{key}", place=place, reason=words
    )
    link = Link(
        tenant=tenant,
        entity=entity,
        key=key,
        seq=traces.seq,
        entries=entries,
        cause=f"{name}/unreadable",
        maybe_applied=True,
        aside=words if controls else None,
    )
    for system, id in ids.items():
        setattr(link, system, Side(id=id, version="", unset=list(FIELDS[_entity(entity)])))
    return Lost(tenant, link, record, words, controls)


def _entity(name: str) -> EntityName:
    return next(each for each in ENTITIES if each == name)


def _ids(records: list[ConsumerRecord]) -> tuple[dict[System, str], int]:
    """The ids of a link's records in the newest of its own that tells any, and a number above those
    of its entries."""
    ids: dict[System, str] = {}
    entries = 0
    for record in reversed(records):
        held = _loose(record)
        number = held.get("entries")
        entries = max(entries, number if isinstance(number, int) else 0)
        for system in SYSTEMS:
            side = held.get(system)
            if system not in ids and isinstance(side, dict) and isinstance(side.get("id"), str):
                ids[system] = side["id"]
    return ids, entries + 1000


def _loose(record: ConsumerRecord) -> dict[str, Any]:
    """A record as far as it is JSON."""
    try:
        held = msgspec.json.decode(record.value or b"null")
    except UNREADABLE:
        return {}
    return held if isinstance(held, dict) else {}
