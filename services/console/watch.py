"""The live flow: a line for each write that was answered, for each decision a person would ask
about, and, where they are wanted, for each reading. What was written shortly before is looked at
first, without a word: an answer is told by its command, and a reading by whether it is our own
write coming back.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from aiokafka import ConsumerRecord, TopicPartition

from contracts.echoes import Echoes
from contracts.messages import (
    LOST_RULES,
    Command,
    EntityMessage,
    JournalEntry,
    Observed,
    Outcome,
    ce_id,
)
from contracts.topics import ENTITY_TOPICS
from runtime.clock import utc_now
from runtime.kafka import Kafka
from services.console.base import Meant
from services.console.findings import RULES

TOPICS = (
    *ENTITY_TOPICS.values(),
    "commands.chargebee",
    "commands.poweroffice",
    "outcomes",
    "journal",
)
TOLD = (
    LOST_RULES
    | RULES
    | {
        "difference",
        "immutable",
        "edit_against_deletion",
        "ambiguous",
        "possible_duplicate",
        "rejected",
        "waiting",
        "drift",
        "totals",
        "discarded",
        "settled",
        "unlinked",
    }
)
REMEMBERED = 10_000
# A poll finds our own write within minutes; sweeps and late lists take no longer than this.
LOOK_BACK_S, LOOK_BACK_RECORDS = 900, REMEMBERED
_Offsets = Mapping[TopicPartition, int]
_entity: msgspec.json.Decoder[EntityMessage] = msgspec.json.Decoder(EntityMessage)
_command = msgspec.json.Decoder(Command)
_outcome = msgspec.json.Decoder(Outcome)
_entry = msgspec.json.Decoder(JournalEntry)


class Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One change: when, of what, what happened, and how long after the edit was seen. Of a reading,
    `echo` says whether it is our own write coming back, and `link` is the record's id in the system
    that was read."""

    at: str
    entity: str
    link: str
    what: str
    result: str = ""
    latency_ms: int | None = None
    echo: bool | None = None

    def text(self) -> str:
        took = f"  {self.latency_ms} ms" if self.latency_ms is not None else ""
        return (
            f"{self.at[11:23]}  {self.entity} {self.link}: "
            f"{self.what}{f': {self.result}' if self.result else ''}{took}"
        )


class Flow:
    """Turns records into lines, of readings too where they are wanted. Pure but for what it
    remembers: causes, commands and answers, REMEMBERED of each at the most."""

    def __init__(self, tenant: str, *, readings: bool = False) -> None:
        self._tenant, self._tells_readings = tenant, readings
        self._echoes = Echoes(REMEMBERED)
        self._seen_at: OrderedDict[str, str] = OrderedDict()
        self._sent: OrderedDict[tuple[str, str, int], Command] = OrderedDict()

    def take(self, topic: str, value: bytes) -> Iterator[Line]:
        """The lines that a record (of a topic without prefix) gives."""
        try:
            if topic in ENTITY_TOPICS.values():
                yield from self._observed(_entity.decode(value))
            elif topic.startswith("commands."):
                self._remember(_command.decode(value))
            elif topic == "outcomes":
                yield from self._answered(_outcome.decode(value))
            else:
                yield from self._decided(_entry.decode(value))
        except msgspec.MsgspecError:
            return

    def _observed(self, event: EntityMessage) -> Iterator[Line]:
        if not isinstance(event, Observed) or event.tenant != self._tenant:
            return
        self._seen_at[ce_id(event)] = event.observed_at
        if len(self._seen_at) > REMEMBERED:
            self._seen_at.popitem(last=False)
        echo = self._echoes.observed(event)
        if echo:
            what = "our own write came back"
        elif event.snapshot is not None:
            what = "first reading"
        else:
            what = "deleted there" if event.deleted else "changed there"
        if self._tells_readings:
            yield self._read(event, what, event.observed_at, echo=echo)

    def _read(self, event: Observed, what: str, at: str, *, echo: bool) -> Line:
        return Line(
            at=at,
            entity=event.entity,
            link=event.id,
            what=f"read in {event.system}",
            result=what,
            echo=echo,
        )

    def _remember(self, command: Command) -> None:
        if command.tenant == self._tenant:
            self._sent[command.entity, command.link, command.seq] = command
            if len(self._sent) > REMEMBERED:
                self._sent.popitem(last=False)

    def _answered(self, outcome: Outcome) -> Iterator[Line]:
        if outcome.tenant != self._tenant:
            return
        command = self._sent.pop((outcome.entity, outcome.link, outcome.seq), None)
        early = self._echoes.answered(outcome)
        if early is not None and self._tells_readings:
            yield self._read(
                early, "it was our own write, read before its answer", outcome.at, echo=True
            )
        nothing_written = outcome.result == "applied" and not outcome.wrote
        # Without its command: a reading of a run, or an update of long ago that needed no write.
        if command.op == "verify" if command else nothing_written:
            return
        what = f"{command.op} in {command.target}" if command else f"written in {outcome.target}"
        fields = f" ({', '.join(command.fields)})" if command and command.op == "update" else ""
        seen_at = self._seen_at.get(command.cause) if command else None
        words: str = "needed no write" if nothing_written else outcome.result
        words = f"{words}, {outcome.error.message}" if outcome.error else words
        yield Line(
            at=outcome.at,
            entity=outcome.entity,
            link=outcome.link,
            what=what + fields,
            result=words,
            latency_ms=_between_ms(seen_at, outcome.at),
        )

    def _decided(self, entry: JournalEntry) -> Iterator[Line]:
        if entry.tenant == self._tenant and (entry.entity is None or entry.rule in TOLD):
            yield Line(
                at=entry.at, entity=entry.entity or "signal", link=entry.link, what=entry.text
            )


def _between_ms(since: str | None, until: str) -> int | None:
    if since is None:
        return None
    return round(
        (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds() * 1000
    )


async def watch(
    about: Meant,
    tell: Callable[[Line], Any],
    *,
    begun: Callable[[], Any] = lambda: None,
    readings: bool = False,
) -> None:
    """Tell of every change from now on, for ever; `begun` is called when nothing is missed any
    more."""
    kafka, partition = Kafka(about.settings.kafka), about.settings.partition_of(about.tenant)
    prefix, flow = len(about.settings.kafka.topic_prefix), Flow(about.tenant, readings=readings)

    def lines(records: Iterable[ConsumerRecord]) -> Iterator[Line]:
        for record in sorted(records, key=_order):
            if record.value is not None:
                yield from flow.take(record.topic[prefix:], record.value)

    async with kafka.consuming() as consumer:
        wanted = [TopicPartition(kafka.name(topic), partition) for topic in TOPICS]
        consumer.assign(wanted)
        ends = await consumer.end_offsets(wanted)
        await _look_back(consumer, ends)
        begun()
        before, fresh = await _caught_up(consumer, ends)
        for _ in lines(before):
            pass
        for line in lines(fresh):
            tell(line)
        while True:
            batches = await consumer.getmany(timeout_ms=500)
            for line in lines(each for held in batches.values() for each in held):
                tell(line)
            await asyncio.sleep(0)


async def _look_back(consumer: Any, ends: _Offsets) -> None:
    since_ms = round((utc_now().timestamp() - LOOK_BACK_S) * 1000)
    found = await consumer.offsets_for_times(dict.fromkeys(ends, since_ms))
    for tp, end in ends.items():
        begin = found[tp].offset if found.get(tp) is not None else end
        consumer.seek(tp, max(begin, end - LOOK_BACK_RECORDS))


async def _caught_up(
    consumer: Any, ends: _Offsets
) -> tuple[list[ConsumerRecord], list[ConsumerRecord]]:
    """The records up to these ends, and those that came meanwhile."""
    before, fresh, behind = list[ConsumerRecord](), list[ConsumerRecord](), set(ends)
    while True:
        for tp in list(behind):
            if await consumer.position(tp) >= ends[tp]:  # transaction markers take offsets too
                behind.discard(tp)
        if not behind:
            return before, fresh
        for tp, records in (await consumer.getmany(timeout_ms=200)).items():
            for record in records:
                (before if record.offset < ends[tp] else fresh).append(record)


def _order(record: ConsumerRecord) -> tuple[int, int]:
    # Causes before what follows from them where one fetch brings both.
    short = next(number for number, topic in enumerate(TOPICS) if record.topic.endswith(topic))
    return (record.timestamp, short)
