"""Tails the tenant's partition of the topics and keeps the progress."""

import asyncio
import time
from typing import Any

import msgspec
from aiokafka import ConsumerRecord, TopicPartition

from contracts.messages import Command, Control, JournalEntry, Link, Outcome
from contracts.settings import Settings
from contracts.topics import LINKER_INPUTS
from demo.progress import Progress
from runtime.kafka import Kafka

FOLDED = ("links", "journal", "outcomes", "control", "commands.chargebee", "commands.poweroffice", "dead-letters")
_link = msgspec.json.Decoder(Link)
_journal = msgspec.json.Decoder(JournalEntry)
_outcome = msgspec.json.Decoder(Outcome)
_command = msgspec.json.Decoder(Command)
_control = msgspec.json.Decoder(Control)


class Watcher:
    """Folds records as they come; `changed_at` is the monotonic second of the last one that moved anything."""

    def __init__(self, settings: Settings, tenant: str) -> None:
        self.kafka, self.tenant = Kafka(settings.kafka), tenant
        self.partition = settings.partition_of(tenant)
        self.progress = Progress()
        self.changed_at = time.monotonic()

    async def run(self) -> None:
        """Tail for ever."""
        consumer: Any = self.kafka.consumer()
        await consumer.start()
        try:
            topics = {*FOLDED, *LINKER_INPUTS}
            consumer.assign([TopicPartition(self.kafka.name(topic), self.partition) for topic in topics])
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
        if topic != "control":
            self.changed_at = time.monotonic()

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
        else:
            progress.dead_letters += 1

    def _control(self, control: Control) -> None:
        if control.kind == "position" and control.id == f"p{self.partition:02d}":
            self.progress.read_to.update(control.value)
        elif control.tenant == self.tenant and control.kind == "barrier":
            self.progress.barriers.add(control.id)

    async def until_quiet(self, still_s: float, timeout_s: float, *, not_before_s: float = 0.0) -> list[str]:
        """Wait until nothing is left to do and nothing has moved for `still_s`, but at least `not_before_s`.

        Returns what was still unfinished after `timeout_s`; empty when all came to rest.
        """
        began_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            reasons = self.progress.unfinished()
            if not reasons and now_s - self.changed_at >= still_s and now_s - began_s >= not_before_s:
                return []
            if now_s - began_s > timeout_s:
                return reasons or ["something still moves"]
            await asyncio.sleep(0.1)
