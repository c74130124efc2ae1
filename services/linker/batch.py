"""The decisions of one transaction: what is wrong with a message, or too large for one, is kept
beside, in words."""

import base64
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from aiokafka import ConsumerRecord

from contracts.entities import ENTITY_TYPES
from contracts.messages import (
    Command,
    Control,
    DeadLetter,
    EntityMessage,
    JournalEntry,
    Observed,
    Outcome,
    Problem,
    Reading,
    ReadingMessage,
    Signal,
)
from contracts.topics import headers
from runtime.dead_letters import reason_of, undecodable
from runtime.kafka import Kafka, Record
from runtime.metrics import DEAD_LETTERS
from runtime.sizes import too_large
from runtime.traces import Span
from services.linker import steps
from services.linker.decide import Message, decide
from services.linker.echoes import Decided, count_echoes
from services.linker.metrics import BATCH_RECORDS, COMMANDS, EVENTS
from services.linker.restoring import Lost
from services.linker.session import Output, Tombstone
from services.linker.state import by_id
from services.linker.store import Overlay, Store, link_id

log = structlog.get_logger()
NEAR_BYTES = 4096  # more than a key and headers have
MAX_TOO_LARGE = 10  # links of one message
_encoder = msgspec.json.Encoder()
_entity_decoder: msgspec.json.Decoder[EntityMessage] = msgspec.json.Decoder(EntityMessage)
_outcome_decoder = msgspec.json.Decoder(Outcome)
_signal_decoder = msgspec.json.Decoder(Signal)
_reading_decoder: msgspec.json.Decoder[ReadingMessage] = msgspec.json.Decoder(ReadingMessage)
NOBODYS = "~"  # the tenant of what names none that is known


class Batch:
    """The decisions of one transaction on overlays of the tenants' stores."""

    def __init__(self, kafka: Kafka, stores: Mapping[str, Store], partition: int, now: str) -> None:
        self._kafka, self._stores, self.partition, self._now = kafka, stores, partition, now
        self._max_bytes = kafka.max_record_bytes
        # Nearly every record is far from it, and is not looked at closely.
        self._near_bytes = self._max_bytes - NEAR_BYTES
        self._overlays: dict[str, Overlay] = {}
        self._sent: list[Record] = []
        self._commands: Counter[tuple[str, str, str, str, str]] = Counter()
        self._dead: list[Record] = []
        self._letters: Counter[str] = Counter()
        self._results: Counter[tuple[str, str]] = Counter()
        self._wanted = steps.Wanted.now()
        self._lines: list[steps.Line] = []
        self._spans: list[Span] = []
        self._decided: list[Decided] = []
        self.positions: dict[str, int] = {}

    def take(self, record: ConsumerRecord, topic: str) -> None:
        """Decide one record; whatever is wrong with it goes to the dead letters, and the batch goes
        on."""
        if record.value is None:
            self._results[NOBODYS, "forgotten"] += 1
            return
        message: Message | None = None
        known = NOBODYS
        try:
            message = _decode(topic, record.value)
            tenant = message.record.tenant if isinstance(message, Reading) else message.tenant
            if tenant not in self._stores:
                raise ValueError(
                    f"no settings for tenant {tenant!r}; add it or remove its messages"
                )
            known = tenant
            self.decide(tenant, message, record)
        except Exception as error:
            # The boundary: one bad message must never stop a partition.
            log.error(
                "message.failed", topic=record.topic, offset=record.offset, reason=reason_of(error)
            )
            self._bury(known, record, reason_of(error))
            self._mark_broken(message, reason_of(error))

    def tell(self, tenant: str, signal: Signal) -> None:
        """Decide a signal of this process itself; what is wrong with it is kept as a dead letter
        too."""
        try:
            self.decide(tenant, signal, None)
        except Exception as error:
            log.error("signal.failed", tenant=tenant, kind=signal.kind, reason=reason_of(error))
            self._results[tenant, "dead_letter"] += 1
            self._letters["signals"] += 1
            body = base64.b64encode(_encoder.encode(signal)).decode()
            letter = DeadLetter(
                reason=reason_of(error),
                at=self._now,
                topic=self._kafka.name("signals"),
                partition=self.partition,
                key=tenant,
                body_base64=body,
            )
            self._dead.append(
                Record("dead-letters", f"{tenant}/{signal.id}".encode(), _encoder.encode(letter))
            )

    def decide(self, tenant: str, message: Message, origin: ConsumerRecord | None) -> None:
        """Decide one message. A link that would have more bytes than a message may is left as it
        was, but for being broken in words, and the message is decided again without it. Raises what
        deciding raises."""
        overlay = self._overlay(tenant)
        own = _link_of(overlay, message)
        span = steps.begun(tenant, message, origin)
        if span.is_told:
            self._spans.append(span)
        broken: dict[str, str] = {}
        for _ in range(MAX_TOO_LARGE):
            state, outputs = decide(overlay, message, self._now)
            if not isinstance(state, Overlay):
                raise TypeError(f"the child of an overlay is {type(state).__name__}")
            sent = [_record_of(output, self._now, span.traceparent) for output in outputs]
            if not (found := self._too_large(tenant, message, state, outputs, sent)):
                break
            if not broken.keys().isdisjoint(found):
                raise ValueError("; ".join(found.values()))
            broken |= found
            for name, words in found.items():
                log.error("link.too_large", tenant=tenant, link=name, reason=words)
                self._break(overlay, name, words)
            if own in found and isinstance(message, Observed):
                # Its version has not been taken: redrive decides it once more.
                self._bury(tenant, origin, f"{own}: {found[own]}")
                return
            is_new = any(overlay.raw(name) is None for name in found)
            message = (
                _without_content(message, found, is_own=own in found, is_new=is_new) or message
            )
        else:
            raise ValueError(
                f"still too large without {MAX_TOO_LARGE} links: {'; '.join(found.values())}"
            )
        result = "acted" if outputs else "changed" if state.changes else "absorbed"
        commands = [each for each in outputs if isinstance(each, Command)]
        self._results[tenant, result] += 1
        self._decided.append((tenant, message, bool(commands)))
        overlay.absorb(state)
        self._sent += sent
        for each in commands:
            self._commands[tenant, each.entity, each.target, each.op, each.lane] += 1
        link = _key_of(overlay, message, own)
        self._lines += steps.lines_of(
            self._wanted,
            message,
            link,
            result,
            outputs,
            origin.headers if origin is not None else (),
        )
        span.tell(result=result, link=link or "")
        for name, words in broken.items():
            self._break(overlay, name, words)
            self._bury(tenant, origin, f"{name}: {words}", key=f"{tenant}/{name}")

    def _overlay(self, tenant: str) -> Overlay:
        overlay = self._overlays.get(tenant)
        if overlay is None:
            overlay = self._overlays[tenant] = self._stores[tenant].child()
        return overlay

    def _too_large(
        self,
        tenant: str,
        message: Message,
        state: Overlay,
        outputs: list[Output],
        sent: list[Record],
    ) -> dict[str, str]:
        """The links of which a record would be too large, each with words. Raises ValueError for
        what is no link's."""
        found: dict[str, str] = {}
        near = self._near_bytes
        for name, (value, _, _) in state.changes.items():
            if value is not None and len(value) > near:
                record = Record("links", f"{tenant}/{name}".encode(), value)
                if (problem := too_large("its link", record, self._max_bytes)) is not None:
                    found[name] = problem.message
        for output, record in zip(outputs, sent, strict=True):
            if record.value is None or len(record.value) <= near:
                continue
            if (
                problem := too_large(f"its record on {record.topic}", record, self._max_bytes)
            ) is None:
                continue
            command = output.command if isinstance(output, DeadLetter) else output
            if not isinstance(command, Command | JournalEntry) or command.entity is None:
                raise ValueError(problem.message)
            found.setdefault(link_id(command.entity, command.link), problem.message)
        for key, fact in state.controls.items() if isinstance(message, Signal) else ():
            control = self._control(tenant, key, fact)
            if (problem := too_large(f"the fact {key}", control, self._max_bytes)) is not None:
                raise ValueError(problem.message)
        return found

    def _break(self, overlay: Overlay, name: str, words: str) -> None:
        """Leave a link as it is, and let a person see why."""
        entity, _, key = name.partition("/")
        link = overlay.get(entity, key)  # type: ignore[arg-type]
        if link is None or (link.state == "broken" and link.reason == words[:500]):
            return
        link.state, link.reason = "broken", words[:500]
        # Out of every queue: whoever met it there would fail for it.
        link.plan, link.waiting_on, link.candidates = None, [], []
        link.entries += 1
        overlay.put(link)
        entry = JournalEntry(
            tenant=link.tenant,
            entity=link.entity,
            link=link.key,
            entry=str(link.entries),
            at=self._now,
            rule="broken",
            text=words[:2000],
            cause=link.cause,
        )
        self._sent.append(_record_of(entry, self._now))

    def _bury(
        self, tenant: str, record: ConsumerRecord | None, reason: str, key: str | None = None
    ) -> None:
        """Keep a message of which something could not be carried out as a dead letter. `key`: of
        the link it is about, where no message of a topic led to it."""
        self._results[tenant, "dead_letter"] += 1
        if record is not None:
            self._letters[record.topic.removeprefix(self._kafka.name(""))] += 1
            self._dead.append(undecodable(record, reason, self._max_bytes))
            return
        self._letters["links"] += 1
        letter = DeadLetter(reason=reason, at=self._now, topic=self._kafka.name("links"), key=key)
        self._dead.append(Record("dead-letters", f"{key}/broken".encode(), _encoder.encode(letter)))

    def _mark_broken(self, message: Message | None, reason: str) -> None:
        if not isinstance(message, Observed | Outcome) or message.tenant not in self._overlays:
            return
        overlay = self._overlays[message.tenant]
        try:
            if isinstance(message, Outcome):
                self._break(overlay, link_id(message.entity, message.link), reason)
            elif (link := by_id(overlay, message.entity, message.system, message.id)) is not None:
                self._break(overlay, link_id(link.entity, link.key), reason)
        except Exception as error:
            log.error(
                "link.unbreakable",
                tenant=message.tenant,
                entity=message.entity,
                reason=reason_of(error),
            )

    def repair(self, tenant: str, lost: Lost) -> None:
        """Write what is known of a link whose record cannot be read, as broken, and keep its bytes
        as a dead letter."""
        overlay = self._overlay(tenant)
        name = link_id(lost.link.entity, lost.link.key)
        overlay.put(lost.link)
        self._break(overlay, name, lost.words)
        for fact, value in lost.controls.items():
            kind, _, id = fact.partition("/")
            overlay.set_control(kind, id, value)
        self._bury(tenant, lost.record, lost.words)

    def _control(self, tenant: str, key: str, fact: dict[str, Any]) -> Record:
        kind, _, id = key.partition("/")
        control = Control(tenant=tenant, kind=kind, id=id, at=self._now, value=fact)
        return Record("control", f"{tenant}/{key}".encode(), _encoder.encode(control))

    def records(self, positions: Mapping[str, int]) -> list[Record]:
        """Everything the transaction sends, the position record last."""
        sent = list(self._dead)
        for tenant, overlay in self._overlays.items():
            for name, (value, _, _) in overlay.changes.items():
                if value is not None or self._stores[tenant].raw(name) is not None:
                    sent.append(Record("links", f"{tenant}/{name}".encode(), value))
            sent.extend(self._control(tenant, key, fact) for key, fact in overlay.controls.items())
        sent.extend(self._sent)
        sent.append(self._control("~", f"position/p{self.partition:02d}", dict(positions)))
        return sent

    def tenants(self) -> list[str]:
        """The tenants that it decided about."""
        return list(self._overlays)

    def absorb(self) -> None:
        """Take over what was committed; metrics are counted once per batch, since finding a label
        costs a decision's tenth."""
        for tenant, overlay in self._overlays.items():
            self._stores[tenant].absorb(overlay)
        for labels, count in self._commands.items():
            COMMANDS.labels(*labels).inc(count)
        for results, count in self._results.items():
            EVENTS.labels(*results).inc(count)
        for topic, count in self._letters.items():
            DEAD_LETTERS.labels(topic).inc(count)
        BATCH_RECORDS.observe(len(self._decided))
        count_echoes(self._stores, self._decided)
        steps.tell(self._lines, self._spans)

    def undone(self, words: str) -> None:
        """Say that nothing of it was committed, and why."""
        steps.tell_undone(self._spans, words)


def _link_of(overlay: Overlay, message: Message) -> str | None:
    """The name of the link that a message brings content for; None where there is none yet."""
    if isinstance(message, Outcome):
        return link_id(message.entity, message.link)
    event = message.record if isinstance(message, Reading) else message
    if not isinstance(event, Observed):
        return None
    return overlay.first_name(f"{event.entity}|id|{event.system}|{event.id}")


def _key_of(overlay: Overlay, message: Message, own: str | None) -> str | None:
    """The key of the link that a message was about, also where it has just been made."""
    if own is None and isinstance(message, Observed):
        own = overlay.first_name(f"{message.entity}|id|{message.system}|{message.id}")
    return None if own is None else own.partition("/")[2]


def _without_content(
    message: Message, found: Mapping[str, str], *, is_own: bool, is_new: bool
) -> Message | None:
    """What can be taken of a message whose content makes its own link (or the new one) too large:
    that an answer came, that a record is there. None where it is about another link."""
    problem = Problem(code="too_large", message=next(iter(found.values())))
    if isinstance(message, Outcome) and is_own and message.data is not None:
        # It may have been done: whoever plans it anew looks first.
        return msgspec.structs.replace(
            message,
            data=None,
            result="rejected",
            maybe_applied=True,
            done=(),
            error=message.error or problem,
        )
    if isinstance(message, Observed) and is_new and message.data is not None:
        return msgspec.structs.replace(
            message, data=None, incomplete=(), problem=problem, mapping=0
        )
    return None


def _decode(topic: str, value: bytes) -> Message:
    if topic == "outcomes":
        return _outcome_decoder.decode(value)
    if topic == "signals":
        return _signal_decoder.decode(value)
    message: Message = (_reading_decoder if topic == "readings" else _entity_decoder).decode(value)
    event = message.record if isinstance(message, Reading) else message
    if isinstance(event, Observed) and event.data is not None:
        # Only checks: the linker works on the JSON form.
        msgspec.convert(event.data, ENTITY_TYPES[event.entity])
    return message


def _record_of(output: Output, now: str, traceparent: str | None = None) -> Record:
    match output:
        case Command():
            key = f"{output.tenant}/{link_id(output.entity, output.link)}"
            marks = headers(
                type=f"tandem.{output.entity}.command.v1",
                id=f"{key}/{output.seq}",
                source=f"tandem/{output.tenant}/linker",
                subject=output.link,
                time=now,
                cause=output.cause,
                traceparent=traceparent,
            )
            return Record(f"commands.{output.target}", key.encode(), _encoder.encode(output), marks)
        case JournalEntry():
            name = link_id(output.entity, output.link) if output.entity else f"signal/{output.link}"
            key = f"{output.tenant}/{name}/{output.entry}"
            return Record("journal", key.encode(), _encoder.encode(output))
        case DeadLetter():
            return Record("dead-letters", (output.key or "").encode(), _encoder.encode(output))
        case Signal():
            return Record("signals", output.tenant.encode(), _encoder.encode(output))
        case Tombstone():
            return Record(output.topic, output.key.encode(), None)
