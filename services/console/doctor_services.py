"""What the doctor learns from heartbeats: slots, versions, and services that run under another
prefix of topics."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime

from contracts.checks import Checked, finding, not_checked, note
from contracts.messages import Heartbeat
from contracts.said import Said, say
from contracts.settings import Settings
from contracts.topics import HEARTBEATS
from runtime.clock import utc_now
from runtime.kafka import AWAY, Kafka
from runtime.version import version
from services.console.heard import read_beats, read_heartbeats
from services.console.services import (
    REQUIRED,
    Process,
    homes_of,
    of_other_versions,
    processes,
    silence_of,
)

SLOTS, PREFIX, VERSION = "slots", "topic prefix", "versions"
CHECKS = (SLOTS, PREFIX, VERSION)


async def heard_of(settings: Settings, limit_s: float) -> tuple[list[Process], list[Checked]]:
    """The processes that live by their heartbeats, and what is to be said of them; takes `limit_s`
    at the most."""
    try:
        async with asyncio.timeout(limit_s):
            live = _live(settings, await read_heartbeats(Kafka(settings.kafka)))
            others = {} if live else await _elsewhere(settings)
    except AWAY as error:
        why = say("topic_unreadable", topic=HEARTBEATS, why=type(error).__name__)
        return [], [not_checked(SLOTS, why)]
    return live, [
        *of_slots(settings, live),
        *of_versions(live, version()),
        *of_prefixes(settings, others),
    ]


def _live(settings: Settings, beats: Sequence[Heartbeat]) -> list[Process]:
    return [each for each in processes(beats, utc_now(), silence_of(settings)) if each.lives]


async def _elsewhere(settings: Settings) -> dict[str, list[str]]:
    """Services that live under other prefixes on the same Kafka, by prefix."""
    own = settings.kafka.topic_prefix + HEARTBEATS
    everywhere = Kafka(settings.kafka.model_copy(update={"topic_prefix": ""}))
    names = sorted(
        name for name in await everywhere.topic_names() if name.endswith(HEARTBEATS) and name != own
    )
    found = dict[str, list[str]]()
    for name, beats in (await read_beats(everywhere, names)).items():
        if live := _live(settings, beats):
            found[name.removesuffix(HEARTBEATS)] = sorted({each.service for each in live})
    return found


def of_slots(settings: Settings, live: Sequence[Process]) -> Iterator[Checked]:
    """Tenants in no slot of a service that runs, and partitions that two of its processes take."""
    homes = homes_of(settings, settings.tenants)
    for service in REQUIRED:
        mine = [each for each in live if each.service == service]
        if not mine:
            continue
        slots: str | Said = mine[0].slot
        for each in mine[1:]:
            slots = say("both", first=slots, last=each.slot)
        lacking = [p for p in homes if not any(each.covers(p) for each in mine)]
        if lacking:
            tenants = ", ".join(name for p in lacking for name in homes[p])
            words = say("slots_lacking", service=service, slots=slots, names=tenants)
            command = _missing(service, mine)
            yield finding(SLOTS, words, say("slots_start", command=command))
        if shared := [p for p in homes if sum(each.covers(p) for each in mine) > 1]:
            told = ", ".join(map(str, shared))
            words = say("slots_shared", service=service, slots=slots, list=told)
            yield finding(SLOTS, words, say("slots_end"))


def _missing(service: str, mine: Sequence[Process]) -> str:
    """The commands for the slots that are not there, of the number of slots that the newest process
    knows."""
    newest = max(mine, key=lambda each: datetime.fromisoformat(each.since))
    count = int(newest.slot.partition("/")[2])
    there = {each.slot for each in mine}
    wanted = [f"{index}/{count}" for index in range(count) if f"{index}/{count}" not in there]
    return "; ".join(f"TANDEM_SLOT={slot} python -m services.{service}" for slot in wanted)


def of_versions(live: Sequence[Process], own: str) -> Iterator[Checked]:
    """Processes of another release than this command."""
    for words in of_other_versions(live, own):
        yield note(VERSION, words, say("finish_upgrade"))


def of_prefixes(settings: Settings, others: dict[str, list[str]]) -> Iterator[Checked]:
    """Services that these settings cannot see, told where none of their own is seen."""
    for prefix, services in others.items():
        theirs = {"other_prefix": prefix, "list": ", ".join(services)}
        words = say("prefix_other", prefix=settings.kafka.topic_prefix, **theirs)
        yield note(PREFIX, words, say("prefix_set"))
