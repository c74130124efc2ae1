"""Tails the tenant's partition of the topics and keeps the progress."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
from aiokafka import ConsumerRecord, TopicPartition

from contracts.messages import Command, Control, Cursor, JournalEntry, Link, Outcome
from contracts.settings import Settings
from contracts.topics import LINKER_INPUTS
from demo.progress import Progress
from runtime.kafka import Kafka

FOLDED = (
    "links",
    "journal",
    "outcomes",
    "control",
    "commands.chargebee",
    "commands.poweroffice",
    "dead-letters",
    "cursors",
)
# What is written also while nothing happens.
BESIDE = ("control", "cursors")
# Given up only after a time in which even a busy machine gets something done, or when there is no
# end to it.
STUCK_S, ENDLESS_S = 120.0, 1200.0
LOOK_S = 0.1
_link = msgspec.json.Decoder(Link)
_journal = msgspec.json.Decoder(JournalEntry)
_outcome = msgspec.json.Decoder(Outcome)
_command = msgspec.json.Decoder(Command)
_control = msgspec.json.Decoder(Control)
_cursor = msgspec.json.Decoder(Cursor)


class Watcher:
    """Folds records as they come; `changed_at` is the second of `clock` of the last one that moved
    anything, `swept_at` when Go was last swept (ISO 8601, empty before)."""

    def __init__(
        self, settings: Settings, tenant: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.kafka, self.tenant, self._clock = Kafka(settings.kafka), tenant, clock
        self.partition = settings.partition_of(tenant)
        self.progress = Progress()
        self.changed_at, self.swept_at = clock(), ""

    async def run(self) -> None:
        """Tail for ever."""
        consumer: Any = self.kafka.consumer()
        await consumer.start()
        try:
            topics = {*FOLDED, *LINKER_INPUTS}
            consumer.assign(
                [TopicPartition(self.kafka.name(topic), self.partition) for topic in topics]
            )
            while True:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    for record in records:
                        self._take(record)
        finally:
            await consumer.stop()

    def _take(self, record: ConsumerRecord) -> None:
        topic = record.topic[len(self.kafka.settings.topic_prefix) :]
        if topic in LINKER_INPUTS:
            self.progress.written_to[record.topic] = record.offset + 1
        if topic in FOLDED:
            self._fold(topic, record.key or b"", record.value)
        if topic not in BESIDE:
            self.changed_at = self._clock()

    def _fold(self, topic: str, key: bytes, value: bytes | None) -> None:
        progress = self.progress
        if topic == "links":
            tenant, entity, name = key.decode().split("/", 2)
            if tenant != self.tenant:
                return
            if value is None:
                progress.links.pop((entity, name), None)  # type: ignore[arg-type]
            else:
                link = _link.decode(value)
                progress.links[link.entity, link.key] = link
        elif value is None:
            return
        elif topic == "journal":
            progress.journal[key] = _journal.decode(value)
        elif topic == "outcomes":
            outcome = _outcome.decode(value)
            progress.outcomes[outcome.entity, outcome.link, outcome.seq] = outcome
        elif topic.startswith("commands."):
            command = _command.decode(value)
            progress.commands[command.entity, command.link, command.seq] = command
        elif topic == "control":
            self._control(_control.decode(value))
        elif topic == "cursors":
            cursor = _cursor.decode(value)
            if (cursor.tenant, cursor.system, cursor.entity) == (
                self.tenant,
                "poweroffice",
                "health",
            ):
                self.swept_at = cursor.value.get("last_sweep_at") or ""
        else:
            progress.dead_letters += 1

    def _control(self, control: Control) -> None:
        if control.kind == "position" and control.id == f"p{self.partition:02d}":
            self.progress.read_to.update(control.value)
        elif control.tenant == self.tenant and control.kind == "barrier":
            self.progress.barriers.add(control.id)

    async def until_quiet(self, still_s: float, *, swept_since: str = "") -> list[str]:
        """Wait until nothing is left to do, Go was swept after `swept_since`, and nothing has moved
        for `still_s`.

        Returns what was still unfinished when nothing had moved for STUCK_S, or there was no end to
        it in ENDLESS_S; empty when all came to rest.
        """
        began_s = moved_s = self._clock()
        while True:
            now_s, moved_s = self._clock(), max(moved_s, self.changed_at)
            reasons = self.progress.unfinished()
            if self.swept_at < swept_since:
                reasons.append("Go has not been swept since the last edit")
            if not reasons and now_s - self.changed_at >= still_s:
                return []
            if now_s - moved_s > STUCK_S or now_s - began_s > ENDLESS_S:
                return reasons or ["something still moves"]
            await asyncio.sleep(LOOK_S)
