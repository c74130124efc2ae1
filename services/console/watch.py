"""The live flow: a line for each command that was answered, and for each decision a person would ask about."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from aiokafka import ConsumerRecord, TopicPartition

from contracts.messages import LOST_RULES, Command, EntityMessage, JournalEntry, Observed, Outcome, ce_id
from contracts.topics import ENTITY_TOPICS
from runtime.kafka import Kafka
from services.console.base import Meant

TOPICS = (*ENTITY_TOPICS.values(), "commands.chargebee", "commands.poweroffice", "outcomes", "journal")
TOLD = LOST_RULES | {
    "difference", "immutable", "edit_against_deletion", "ambiguous", "possible_duplicate", "rejected", "waiting",
    "drift", "totals", "discarded", "settled", "unlinked",
}  # fmt: skip
REMEMBERED = 10_000
_entity: msgspec.json.Decoder[EntityMessage] = msgspec.json.Decoder(EntityMessage)
_command = msgspec.json.Decoder(Command)
_outcome = msgspec.json.Decoder(Outcome)
_entry = msgspec.json.Decoder(JournalEntry)


class Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One change: when, of what, what happened, and how long after the edit was seen."""

    at: str
    entity: str
    link: str
    what: str
    result: str = ""
    latency_ms: int | None = None

    def text(self) -> str:
        took = f"  {self.latency_ms} ms" if self.latency_ms is not None else ""
        return (
            f"{self.at[11:23]}  {self.entity} {self.link}: {self.what}{f': {self.result}' if self.result else ''}{took}"
        )


class Flow:
    """Turns records into lines. Pure but for what it remembers: causes and commands, REMEMBERED at the most."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self._seen_at: OrderedDict[str, str] = OrderedDict()
        self._sent: OrderedDict[tuple[str, str, int], Command] = OrderedDict()

    def take(self, topic: str, value: bytes) -> Iterator[Line]:
        """The lines that a record (of a topic without prefix) gives."""
        try:
            if topic in ENTITY_TOPICS.values():
                self._observed(_entity.decode(value))
            elif topic.startswith("commands."):
                self._remember(_command.decode(value))
            elif topic == "outcomes":
                yield from self._answered(_outcome.decode(value))
            else:
                yield from self._decided(_entry.decode(value))
        except msgspec.MsgspecError:
            return

    def _observed(self, event: EntityMessage) -> None:
        if isinstance(event, Observed) and event.tenant == self._tenant:
            self._seen_at[ce_id(event)] = event.observed_at
            if len(self._seen_at) > REMEMBERED:
                self._seen_at.popitem(last=False)

    def _remember(self, command: Command) -> None:
        if command.tenant == self._tenant:
            self._sent[command.entity, command.link, command.seq] = command
            if len(self._sent) > REMEMBERED:
                self._sent.popitem(last=False)

    def _answered(self, outcome: Outcome) -> Iterator[Line]:
        if outcome.tenant != self._tenant:
            return
        command = self._sent.pop((outcome.entity, outcome.link, outcome.seq), None)
        if command is not None and command.op == "verify":
            return
        what = f"{command.op} in {command.target}" if command else f"in {outcome.target}"
        fields = f" ({', '.join(command.fields)})" if command and command.op == "update" else ""
        seen_at = self._seen_at.get(command.cause) if command else None
        words = f"{outcome.result}, {outcome.error.message}" if outcome.error else outcome.result
        yield Line(at=outcome.at, entity=outcome.entity, link=outcome.link, what=what + fields, result=words,
                   latency_ms=_between_ms(seen_at, outcome.at))  # fmt: skip

    def _decided(self, entry: JournalEntry) -> Iterator[Line]:
        if entry.tenant == self._tenant and (entry.entity is None or entry.rule in TOLD):
            yield Line(at=entry.at, entity=entry.entity or "signal", link=entry.link, what=entry.text)


def _between_ms(since: str | None, until: str) -> int | None:
    if since is None:
        return None
    return round((datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds() * 1000)


async def watch(about: Meant, tell: Callable[[Line], Any], *, begun: Callable[[], Any] = lambda: None) -> None:
    """Tell of every change from now on, for ever; `begun` is called when nothing is missed any more."""
    kafka, partition = Kafka(about.settings.kafka), about.settings.partition_of(about.tenant)
    prefix, flow = len(about.settings.kafka.topic_prefix), Flow(about.tenant)
    async with kafka.consuming() as consumer:
        wanted = [TopicPartition(kafka.name(topic), partition) for topic in TOPICS]
        consumer.assign(wanted)
        for tp, end in (await consumer.end_offsets(wanted)).items():
            consumer.seek(tp, end)
        begun()
        while True:
            batches = await consumer.getmany(timeout_ms=500)
            for record in sorted((each for held in batches.values() for each in held), key=_order):
                if record.value is not None:
                    for line in flow.take(record.topic[prefix:], record.value):
                        tell(line)
            await asyncio.sleep(0)


def _order(record: ConsumerRecord) -> tuple[int, int]:
    # Causes before what follows from them where one fetch brings both.
    short = next(number for number, topic in enumerate(TOPICS) if record.topic.endswith(topic))
    return (record.timestamp, short)
