"""From the words of `--from` and `--to` to offsets of the entity topics, and whether Kafka still
holds them whole."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiokafka import TopicPartition

from contracts.entities import EntityName
from contracts.said import Said, say
from contracts.settings import Settings
from contracts.topics import ENTITY_TOPICS, TOPICS
from runtime.kafka import Kafka
from services.console.base import NotFound, Unfit

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
KEPT_WHOLE = timedelta(
    milliseconds=int(
        next(topic for topic in TOPICS if topic.name == "customers").config["min.compaction.lag.ms"]
    )
)

Moment = datetime | int  # a time, or an offset


def time_of(text: str, zone: str, now: datetime) -> datetime:
    """A time (`2026-11-28T10:00`, in the tenant's zone unless it names one; `90m`, `2h`, `3d` ago).

    Raises Unfit.
    """
    moment = _moment(text, zone, now, say("time_wrong", value=text))
    if isinstance(moment, int):
        raise Unfit(say("time_offset", value=text))
    return moment


def moment_of(text: str, zone: str, now: datetime) -> Moment:
    """A time as `time_of` takes it, or an offset. Raises Unfit."""
    return _moment(text, zone, now, say("time_or_offset_wrong", value=text))


def _moment(text: str, zone: str, now: datetime, wrong: Said) -> Moment:
    if text.isascii() and text.isdigit():
        return int(text)
    if found := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Unfit(wrong) from None
    return (time if time.tzinfo is not None else time.replace(tzinfo=ZoneInfo(zone))).astimezone(
        UTC
    )


async def ranges_of(
    settings: Settings,
    tenant: str,
    begin: Moment,
    end: Moment | None,
    entity: EntityName | None,
    now: datetime,
) -> dict[str, tuple[int, int]]:
    """The offsets [from, to) by topic. Raises NotFound for a range that is empty, or not held whole
    any more, and Unfit for an offset without an entity."""
    if (isinstance(begin, int) or isinstance(end, int)) and entity is None:
        raise Unfit(say("range_entity"))
    if isinstance(begin, datetime) and isinstance(end, datetime) and end <= begin:
        raise Unfit(say("range_turned"))
    kafka, partition = Kafka(settings.kafka), settings.partition_of(tenant)
    topics = [ENTITY_TOPICS[entity]] if entity else list(ENTITY_TOPICS.values())
    async with kafka.consuming() as consumer:
        held = {topic: TopicPartition(kafka.name(topic), partition) for topic in topics}
        ends = await consumer.end_offsets(list(held.values()))
        begins = await consumer.beginning_offsets(list(held.values()))
        found = {}
        for topic, tp in held.items():
            first = await _offset(consumer, tp, begin, ends[tp])
            last = ends[tp] if end is None else await _offset(consumer, tp, end, ends[tp])
            await _refuse_dropped(consumer, topic, tp, begin, begins[tp], now)
            if first < min(last, ends[tp]):
                found[topic] = (first, min(last, ends[tp]))
    if not found:
        raise NotFound(say("range_empty"))
    return found


async def _offset(consumer: Any, tp: TopicPartition, moment: Moment, end: int) -> int:
    if isinstance(moment, int):
        return moment
    milliseconds = int(moment.timestamp() * 1000)
    answer = (await consumer.offsets_for_times({tp: milliseconds}))[tp]
    return end if answer is None else int(answer.offset)


async def _refuse_dropped(
    consumer: Any, topic: str, tp: TopicPartition, begin: Moment, beginning: int, now: datetime
) -> None:
    """Kafka keeps every event for KEPT_WHOLE; of older ones only the newest of each record may be
    left."""
    if isinstance(begin, int) and begin < beginning:
        raise NotFound(say("range_dropped", topic=topic, first=beginning, offset=begin))
    oldest = (await consumer.offsets_for_times({tp: 0}))[tp]
    whole_since = now - KEPT_WHOLE
    if oldest is None or isinstance(begin, int) or begin >= whole_since:
        return
    if datetime.fromtimestamp(oldest.timestamp / 1000, UTC) < whole_since:
        raise NotFound(say("range_compacted", at=f"{whole_since:%Y-%m-%dT%H:%MZ}", topic=topic))
