"""Dead letters: shown, chosen, and put back on their way."""

import base64
from collections.abc import Mapping
from typing import NamedTuple

from rich.console import Console

from contracts.messages import DeadLetter
from contracts.settings import Settings
from runtime.kafka import Kafka
from services.console.base import NotFound, print_json, say

NAMES_AT_ONCE = 200


class Chosen(NamedTuple):
    """Dead letters to be redriven: links to plan again with their letters' keys, and messages to be sent again."""

    links: dict[tuple[str, str], list[str]]
    messages: dict[str, DeadLetter]


def words_of(letter: DeadLetter) -> str:
    """Why it is dead, as one line."""
    problem = letter.problem
    if problem is None:
        return letter.reason
    return f"{letter.reason}: {f'{problem.field}: ' if problem.field else ''}{problem.message}"


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
    console.print(f"{len(letters)} dead letters")


def choose(letters: Mapping[str, DeadLetter], id: str | None, reason: str | None) -> Chosen:
    """The letters with this id, or with these words in their reason, or all. Raises NotFound for an unknown id."""
    if id is not None and id not in letters:
        raise NotFound(f"there is no dead letter {id!r}; tandem letters shows them")
    wanted = reason.casefold() if reason is not None else ""
    named = {key: letter for key, letter in letters.items()
             if (id is None or key == id) and wanted in words_of(letter).casefold()}  # fmt: skip
    chosen = Chosen({}, {})
    for key, letter in named.items():
        if letter.command is not None:
            chosen.links.setdefault((letter.command.entity, letter.command.link), []).append(key)
        else:
            chosen.messages[key] = letter
    return chosen


async def send_again(settings: Settings, messages: Mapping[str, DeadLetter]) -> None:
    """Put messages on their topics once more, bytes and key as they were; those of a letter that was too small for
    them are taken from where the letter says. Raises NotFound where nothing is left there."""
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
        async for record in kafka.read_range(topic, letter.partition, letter.offset, letter.offset + 1):
            if record.value is not None:
                return bytes(record.value)
    raise NotFound(
        f"the message of the letter about {letter.key} is not kept at {place}; tandem redrive names the link"
    )
