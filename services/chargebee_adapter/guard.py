"""What an update may write, given what the record holds now.

Chargebee has no precondition: a write is guarded by reading just before it and comparing with what
was expected.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from contracts.entities import Entity, typed_fields
from contracts.messages import Command, Problem
from contracts.said import say
from contracts.vendors import has_moved
from runtime.vendor import Refused, Retriable
from services.chargebee_adapter.mapping import OWN_PREFIX, STAMP_KEY, Raw, Reading

ASLEEP_S = 2.0
_encoder = msgspec.json.Encoder(decimal_format="number")
MAX_READINGS = 3
Clock = Callable[[], float]
T = TypeVar("T")


async def fresh(read: Callable[[], Awaitable[T]], clock: Clock) -> tuple[T, float]:
    """What guards a write, and when it was asked for in seconds of a monotonic clock.

    Chargebee has no precondition. A process that was stopped while the answer came in would compare
    with what stood there long ago, so what took longer than ASLEEP_S is read again. Raises
    Retriable when no reading is quick enough.
    """
    for _ in range(MAX_READINGS):
        asked_at = clock()
        found = await read()
        if clock() - asked_at <= ASLEEP_S:
            return found, asked_at
    raise Retriable(
        f"{MAX_READINGS} readings in a row took longer than {ASLEEP_S:g} s; nothing was written "
        f"after them"
    )


@dataclass(frozen=True)
class Plan:
    """`to_write` differs from what is held, `done` is held already; `is_stale` when somebody edited
    in between."""

    to_write: dict[str, Any]
    done: tuple[str, ...]
    is_stale: bool


def plan(current: Entity, wanted: Mapping[str, Any], expected: Mapping[str, Any]) -> Plan:
    """Compare typed canonical values. `wanted` are values as the vendor would hold them, of fields
    it can hold."""
    done = tuple(name for name, value in wanted.items() if getattr(current, name) == value)
    to_write = {name: value for name, value in wanted.items() if name not in done}
    moved = [
        name for name in to_write if name in expected and getattr(current, name) != expected[name]
    ]
    return Plan(to_write, done, bool(moved))


def written_again(
    command: Command, found: Reading, steps: Plan, request: Callable[[str], object] = lambda _: None
) -> bool:
    """Whether this repeats an attempt that nobody saw answered, on a record that has moved and
    shows nothing of it, or a part only of one `request` of it: somebody may have taken it back."""
    through = {request(name) for name in steps.done}
    return (
        command.look_first
        and bool(steps.to_write)
        and (not through or not through.isdisjoint(map(request, steps.to_write)))
        and has_moved(command.target_version, found.version)
    )


def typed(command: Command, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a command with their types. Raises Refused when they do not fit the entity."""
    try:
        return typed_fields(command.entity, fields)
    except (msgspec.ValidationError, KeyError) as error:
        words = f"the command does not fit a {command.entity}: {error}"
        raise Refused("invalid_command", words) from error


def required(command: Command, name: Literal["stamp", "target_id"]) -> str:
    """A part of the command without which it has no target. Raises Refused."""
    value = getattr(command, name)
    if not isinstance(value, str) or not value:
        raise Refused("invalid_command", f"the command has no {name}")
    return value


def present(reading: Reading) -> Entity:
    """The entity of a record that may be written to. Raises Refused for a deleted or unreadable
    one."""
    if reading.deleted:
        said = say("deleted_in_chargebee", entity=reading.entity_name, id=reading.id)
        raise Refused.of(Problem.of("deleted", said))
    if isinstance(reading.content, Problem):
        raise Refused.of(reading.content)
    return reading.content


def restamp(raw: Raw, name: str, reading: Reading, stamp: str | None) -> dict[str, str]:
    """The parameter that writes Go's id into the metadata called `name`, or takes it away where
    `stamp` is None; empty when nothing is to be written. All other keys are sent along, since a
    write may replace them.

    Raises Refused when the record is gone or refers to another Go record. An own id cannot be taken
    away.
    """
    present(reading)
    if reading.stamp == stamp or (stamp is None and reading.id.startswith(OWN_PREFIX)):
        return {}
    if stamp is not None and reading.stamp is not None:
        said = say(
            "stamp_taken", entity=reading.entity_name, id=reading.id, reference=reading.stamp
        )
        raise Refused.of(Problem.of("stamp_taken", said, "stamp"))
    before = raw.get(name)
    kept = (
        {key: value for key, value in before.items() if key != STAMP_KEY}
        if isinstance(before, Mapping)
        else {}
    )
    if stamp is not None:
        kept[STAMP_KEY] = stamp.removeprefix(OWN_PREFIX)
    # As the vendor's own libraries write it, with the digits of every number as they came.
    return {name: msgspec.json.format(_encoder.encode(kept), indent=0).decode()}
