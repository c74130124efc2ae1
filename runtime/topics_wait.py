"""A service waits for its topics, in words: only `tandem topics create` makes or changes any."""

import asyncio
import time
from collections.abc import Callable

import structlog

from contracts.topics import HEARTBEATS, TOPICS
from runtime.kafka import AWAY, Kafka, TopicError, TopicsFound
from runtime.reach import why
from runtime.unusable import Unusable

log = structlog.get_logger()
AGAIN_S = 2.0
ANSWER_S = 15.0
LOG_EVERY_S = 60.0
CREATE = "run: tandem topics create"


async def until_topics(
    kafka: Kafka, service: str, waits: Callable[[str], None], heartbeats_exist: Callable[[], None]
) -> None:
    """Return once all topics exist and take large enough messages. `waits` is told what is missing
    and what to do.

    Raises TopicError where one differs, and Unusable where Kafka lets nobody in, in a way that no
    waiting mends.
    """
    told, told_s = "", 0.0
    while True:
        found = await _found(kafka)
        if isinstance(found, TopicsFound):
            if HEARTBEATS not in found.missing:
                heartbeats_exist()
            if found.differing:
                raise TopicError("; ".join(each.words for each in found.differing))
        words = found if isinstance(found, str) else missing(found, kafka)
        if words is None:
            return
        waits(words)
        if words != told or time.monotonic() - told_s >= LOG_EVERY_S:
            log.warning("waiting", service=service, reason=words)
            told, told_s = words, time.monotonic()
        await asyncio.sleep(AGAIN_S)


async def _found(kafka: Kafka) -> TopicsFound | str:
    """How the topics stand, or why that cannot be seen."""
    at = kafka.settings.bootstrap
    try:
        async with asyncio.timeout(ANSWER_S):
            return await kafka.look_at_topics()
    except TimeoutError:
        return f"Kafka at {at} does not answer"
    except AWAY as error:
        trouble = await why(kafka.settings)
        if trouble is not None and trouble.lasting:
            raise Unusable(trouble.words) from None
        words = (
            trouble.words
            if trouble is not None
            else " ".join(str(error).split()) or type(error).__name__
        )
        return f"Kafka at {at} cannot be used: {words}"


def missing(found: TopicsFound, kafka: Kafka) -> str | None:
    """What `tandem topics create` has to mend, in words; None where nothing is to be done."""
    if found.missing:
        named = ", ".join(map(kafka.name, found.missing[:3])) + (
            ", …" if len(found.missing) > 3 else ""
        )
        verb = "does" if len(found.missing) == 1 else "do"
        return f"{len(found.missing)} of {len(TOPICS)} topics {verb} not exist ({named}); {CREATE}"
    return "; ".join([*(each.words for each in found.small), CREATE]) if found.small else None
