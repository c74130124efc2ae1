"""What the page does besides reading the read model: signals, messages sent again, ranges of a
replay, and the checks of the doctor."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from contracts.messages import DeadLetter
from contracts.settings import Settings
from contracts.signals import OfOperator
from services.console.letters import send_again
from services.console.signals import send_signal

Sender = Callable[[str, OfOperator, str], Awaitable[dict[str, Any] | None]]
Again = Callable[[Mapping[str, DeadLetter]], Awaitable[None]]


class Outside(NamedTuple):
    """`send` sends a signal of a person (tenant, signal, name) and gives the linker's answer, None
    where it was not taken in time; `send_again` puts the messages of dead letters back on their
    topics. All of them raise what `runtime.kafka.AWAY` names where Kafka is away."""

    send: Sender
    send_again: Again


def outside(settings: Settings) -> Outside:
    """The real ones of an installation."""

    async def send(tenant: str, said: OfOperator, by: str) -> dict[str, Any] | None:
        return await send_signal(settings, tenant, said, by=by)

    async def again(messages: Mapping[str, DeadLetter]) -> None:
        await send_again(settings, messages)

    return Outside(send, again)
