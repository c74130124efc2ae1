"""The facts that the linker keeps in `control`, followed live by a process that acts on them.

The linker writes a fact in the transaction that decides it, so a switch shown here has been
decided; it may be a few milliseconds old.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import structlog
from aiokafka import ConsumerRecord

from contracts import facts
from contracts.facts import FACTS, HERE, F, Fact, Mode, Pause, Stopped
from contracts.messages import STOPPED_BY, Command, Control, Problem
from contracts.said import say
from runtime.background import unasked
from runtime.clock import iso_now
from runtime.dead_letters import key_of, readable, reason_of
from runtime.kafka import Kafka

log = structlog.get_logger()
_decoder = msgspec.json.Decoder(Control)


class ControlView:
    """The newest fact of each tenant, kind and id in these partitions. `on_change(control)` is told
    of every fact that comes after `start` has returned. `unreadable` says by key which facts cannot
    be read and what follows."""

    def __init__(self, kafka: Kafka, partitions: Iterable[int]) -> None:
        self._kafka, self._partitions = kafka, list(partitions)
        self._facts: dict[tuple[str, str, str], Fact | None] = {}
        self._task: asyncio.Task[None] | None = None
        self._caught_up = asyncio.Event()
        self.on_change: list[Callable[[Control], None]] = []
        self.unreadable: dict[str, str] = {}

    async def start(self) -> None:
        """Return once everything written so far is known; what comes later is taken as it comes."""
        self._task = asyncio.create_task(self._follow_or_end())
        await self._caught_up.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow_or_end(self) -> None:
        try:
            await unasked(self._follow())
        except Exception as error:
            # Blind to a pause, this process must not go on writing.
            log.critical("control.lost", reason=reason_of(error))
            os._exit(3)

    async def _follow(self) -> None:
        async for record in self._kafka.follow(("control",), self._partitions):
            if record is None:
                self._caught_up.set()
            elif record.value is not None and not self._took(record):
                self._take_unreadable(record)

    def _take_unreadable(self, record: ConsumerRecord) -> None:
        control, words = stand_in(record)
        self.unreadable[key_of(record) or ""] = words
        log.critical(
            "control.unreadable", partition=record.partition, offset=record.offset, reason=words
        )
        if control is not None:
            self._take(control, _fact_of(control))

    def _took(self, record: ConsumerRecord) -> bool:
        """Take a record that is a fact; False for what cannot be decoded, or is not what its kind
        holds."""
        control = readable(_decoder, record)
        if control is None:
            return False
        try:
            fact = _fact_of(control)
        except msgspec.ValidationError:
            return False
        self.unreadable.pop(key_of(record) or "", None)
        self._take(control, fact)
        return True

    def _take(self, control: Control, fact: Fact | None) -> None:
        self._facts[control.tenant, control.kind, control.id] = fact
        if self._caught_up.is_set():
            for tell in self.on_change:
                tell(control)

    def fact(self, tenant: str, kind: type[F], id: str = HERE) -> F | None:
        """One fact; None when it never was, or was taken back."""
        held = self._facts.get((tenant, kind.KIND, id))
        return held if isinstance(held, kind) else None

    def held(self, command: Command) -> Problem | None:
        """Why a command must not be carried out now, though it has been sent: a pause or `observe`
        came after it.

        Readings (`verify`) change nothing and pass, unless another vendor account has stopped the
        tenant.
        """
        for name in STOPPED_BY:
            if (stopped := self.fact(command.tenant, Stopped, name)) is not None:
                words = stopped.words or f"another {name} account"
                return Problem.of("stopped", say("stands_still", why=words))
        if command.op == "verify":
            return None
        mode = self.fact(command.tenant, Mode)
        if mode is not None and mode.mode == "observe":
            return Problem.of("observe", say("observes"))
        if self.fact(command.tenant, Pause, f"{command.entity}/{command.target}") is not None:
            paused = say("paused", entity=command.entity, system=command.target)
            return Problem.of("paused", paused)
        return None


def _fact_of(control: Control) -> Fact | None:
    """The fact, None where it was taken back or is of a kind that only the linker reads. Raises
    msgspec.ValidationError."""
    kind = FACTS.get(control.kind)
    return facts.of(control.value, kind) if kind is not None else None


# What a fact is taken for that cannot be read, where the other way would let something be written
# that must not be.
_CAUTIOUS: dict[str, dict[str, Any]] = {
    "mode": {"mode": "observe"},
    "pause": {"at": ""},
    "stopped": {"pinned": "unknown", "found": "unknown", "at": ""},
}
_ENDED_BY = {
    "mode": "tandem mode",
    "pause": "tandem pause or resume",
    "stopped": "the next sight of the pinned account",
}


def stand_in(record: ConsumerRecord) -> tuple[Control | None, str]:
    """For a record of `control` that cannot be read: the fact to go on with, and words for a
    person. Its key tells what it was about; a pause and a stop are taken for set and the mode for
    `observe`, everything else for never said."""
    key = key_of(record) or ""
    tenant, kind, id = (*key.split("/", 2), "", "")[:3]
    words = (
        f"{record.topic}/{record.partition}/{record.offset}, {key or 'without a key'}, "
        f"cannot be read"
    )
    if kind not in _CAUTIOUS:
        return (
            None,
            f"{words}: taken for never said; give the instruction again, or look at it with kcat",
        )
    fact = Control(tenant=tenant, kind=kind, id=id, at=iso_now(), value=_CAUTIOUS[kind])
    meant = "observe" if kind == "mode" else f"{kind} {id}, set"
    return fact, f"{words}: until {_ENDED_BY[kind]} says otherwise it is taken for {meant}"
