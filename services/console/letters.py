"""Dead letters: shown, chosen, and put back on their way."""

import base64
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec
from rich.console import Console

from contracts.decoding import UNREADABLE
from contracts.entities import SYSTEMS, EntityName
from contracts.messages import DeadLetter, Link
from contracts.said import Said
from contracts.said import say as sentence
from contracts.settings import Settings
from contracts.topics import ENTITY_TOPICS, link_key, reading_key, record_key
from runtime.kafka import Kafka
from services.console.base import NotFound
from services.console.lookup import keys_of
from services.console.model_rows import side_of
from services.console.terminal import print_json, say

NAMES_AT_ONCE = 200


class Chosen(NamedTuple):
    """Dead letters to be redriven: links to plan again with their letters' keys, and messages to be
    sent again."""

    links: dict[tuple[EntityName, str], list[str]]
    messages: dict[str, DeadLetter]


def words_of(letter: DeadLetter) -> str:
    """Why it is dead, as one line."""
    problem = letter.problem
    if problem is None:
        return letter.reason
    return f"{letter.reason}: {f'{problem.field}: ' if problem.field else ''}{problem.message}"


def said_of(letter: DeadLetter) -> tuple[Said, ...]:
    """The same as sentences; none where it is not about a refusal."""
    problem = letter.problem
    if problem is None:
        return ()
    if problem.field:
        return (sentence("letter_of_field", field=problem.field, why=problem.why),)
    return (sentence("letter_of", why=problem.why),)


def show_letters(console: Console, letters: Mapping[str, DeadLetter], *, as_json: bool) -> None:
    """Two lines for each, the first with the id that `redrive --letter` takes."""
    if as_json:
        print_json([{"id": key, "letter": letter} for key, letter in letters.items()])
        return
    for key, letter in letters.items():
        command = letter.command
        what = f"{command.op} in {command.target}" if command else f"message of {letter.topic}"
        say(console, key)
        say(console, f"  {letter.at[:19]}Z  {what}: {words_of(letter)}")
    say(console, f"{len(letters)} dead letters")


def about(letters: Mapping[str, DeadLetter], link: Link, topic_prefix: str) -> list[str]:
    """The ids of the letters that hold something of a record: commands of its link, and messages
    that could not be read whose key, or whose content as far as it is JSON, names it. `letters` are
    those that `ReadModel.letters` gives."""
    return [key for key, letter in letters.items() if _is_about(letter, link, topic_prefix)]


def _is_about(letter: DeadLetter, link: Link, topic_prefix: str) -> bool:
    keys = keys_of(link)
    if letter.command is not None:
        command = letter.command
        return (command.tenant, command.entity) == (
            link.tenant,
            link.entity,
        ) and command.link in keys
    names = {link_key(link.tenant, link.entity, key) for key in keys}
    for system in SYSTEMS:
        if (side := side_of(link, system)) is not None:
            names.add(reading_key(link.tenant, system, link.entity, side.id))
            if letter.topic.removeprefix(topic_prefix) == ENTITY_TOPICS[link.entity]:
                # Its key alone does not tell the entity.
                names.add(record_key(link.tenant, system, side.id))
    return (letter.key or "").encode() in names or _names(_content(letter), link, keys)


def _content(letter: DeadLetter) -> dict[str, Any]:
    """What a message holds that could not be understood; empty where it is not even a JSON
    object."""
    try:
        found = msgspec.json.decode(base64.b64decode(letter.body_base64 or ""))
    except (*UNREADABLE, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _names(content: dict[str, Any], link: Link, keys: Collection[str]) -> bool:
    """Whether an event, a reading, a command, an outcome or a signal is about a link's records."""
    if isinstance(record := content.get("record"), dict):
        return _names(record, link, keys)
    args = content.get("args")
    told = {**args, "tenant": content.get("tenant")} if isinstance(args, dict) else content
    if (told.get("tenant"), told.get("entity")) != (link.tenant, link.entity):
        return False
    ids = [
        side.id
        for system in SYSTEMS
        if told.get("system") in (system, None) and (side := side_of(link, system))
    ]
    return any(told.get(name) in keys for name in ("link", "key")) or told.get("id") in ids


def choose(letters: Mapping[str, DeadLetter], id: str | None, reason: str | None) -> Chosen:
    """The letters with this id, or with these words in their reason, or all. Raises NotFound for an
    unknown id."""
    if id is not None and id not in letters:
        raise NotFound(sentence("unknown_letter", id=id))
    wanted = reason.casefold() if reason is not None else ""
    named = {
        key: letter
        for key, letter in letters.items()
        if (id is None or key == id) and wanted in words_of(letter).casefold()
    }
    chosen = Chosen({}, {})
    for key, letter in named.items():
        if letter.command is not None:
            chosen.links.setdefault((letter.command.entity, letter.command.link), []).append(key)
        else:
            chosen.messages[key] = letter
    return chosen


async def send_again(settings: Settings, messages: Mapping[str, DeadLetter]) -> None:
    """Put messages on their topics once more, bytes and key as they were; those of a letter that
    was too small for them are taken from where the letter says. Raises NotFound where nothing is
    left there."""
    kafka = Kafka(settings.kafka)
    producer = kafka.producer()
    await producer.start()
    try:
        for letter in messages.values():
            if letter.body_base64 is not None:
                body = base64.b64decode(letter.body_base64)
            else:
                body = await _body(kafka, letter)
            key = letter.key.encode() if letter.key is not None else None
            await producer.send_and_wait(letter.topic, body, key=key, partition=letter.partition)
    finally:
        await producer.stop()


async def _body(kafka: Kafka, letter: DeadLetter) -> bytes:
    place = f"{letter.topic}/{letter.partition}/{letter.offset}"
    if letter.partition is not None and letter.offset is not None:
        topic = letter.topic.removeprefix(kafka.settings.topic_prefix)
        async for record in kafka.read_range(
            topic, letter.partition, letter.offset, letter.offset + 1
        ):
            if record.value is not None:
                return bytes(record.value)
    raise NotFound(sentence("letter_lost", key=letter.key, place=place))
