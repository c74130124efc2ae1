"""What the page does besides reading the read model: signals, messages sent again, ranges of a
replay, and the checks of the doctor."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from contracts.entities import EntityName
from contracts.messages import DeadLetter
from contracts.settings import Settings
from contracts.signals import OfOperator
from services.console.doctor import Held, diagnose, next_steps
from services.console.letters import send_again
from services.console.ranges import Moment, ranges_of
from services.console.signals import send_signal
from services.console.web.doctor_page import Diagnose, Diagnosis
from services.console.web.replays import Ranges, RangesOf

Sender = Callable[[str, OfOperator, str], Awaitable[dict[str, Any] | None]]
Again = Callable[[Mapping[str, DeadLetter]], Awaitable[None]]


class Outside(NamedTuple):
    """`send` sends a signal of a person (tenant, signal, name) and gives the linker's answer, None
    where it was not taken in time. `send_again` puts the messages of dead letters back on their
    topics. `ranges_of` gives the offsets of a range by topic, as `services.console.ranges` does.
    `diagnose` checks a tenant without keys. The others raise what `runtime.kafka.AWAY` names where
    Kafka is away."""

    send: Sender
    send_again: Again
    ranges_of: RangesOf
    diagnose: Diagnose


def outside(settings: Settings) -> Outside:
    """The real ones of an installation."""

    async def send(tenant: str, said: OfOperator, by: str) -> dict[str, Any] | None:
        return await send_signal(settings, tenant, said, by=by)

    async def again(messages: Mapping[str, DeadLetter]) -> None:
        await send_again(settings, messages)

    async def ranges(
        tenant: str,
        begin: Moment,
        end: Moment | None,
        entity: EntityName | None,
        now: datetime,
    ) -> Ranges:
        return await ranges_of(settings, tenant, begin, end, entity, now)

    async def diagnosis(tenant: str) -> Diagnosis:
        held = Held()
        found = [each async for each in diagnose(settings, [tenant], held, with_keys=False)]
        return Diagnosis(found, next_steps(found, settings, [tenant], held.modes))

    return Outside(send, again, ranges, diagnosis)
