"""Benchmarks run; what they measure is looked at by a person."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from benchmarks import console, scale, shared_keys
from benchmarks.linker import customer, events
from benchmarks.peers import Result, differences, result_of
from benchmarks.quix_streams import merge
from contracts.entities import System
from contracts.messages import Command, Link, Observed
from contracts.settings import KafkaSettings
from runtime.kafka import Kafka
from tests.unit.bench import NOW, Bench

EVENTS = 200


class Memory:
    """The peer's state without RocksDB."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}
        self.commands: list[merge.Command] = []
        self.get_bytes: Callable[[bytes], bytes | None] = self.held.get
        self.set_bytes: Callable[[bytes, bytes], None] = self.held.__setitem__

    def take(self, event: bytes) -> None:
        if (command := merge.take(self, event)) is not None:
            self.commands.append(command)

    @property
    def result(self) -> Result:
        """As the benchmark reads it from the changelog and the topics of commands."""
        links = [
            msgspec.convert(
                {"tenant": "t", "entity": "customer", **msgspec.json.decode(value)}, Link
            )
            for key, value in self.held.items()
            if key.startswith(b"link/")
        ]
        commands = [
            msgspec.json.decode(merge.command_bytes(each), type=Command) for each in self.commands
        ]
        return result_of(links, commands)


def as_the_linker(bench: Bench) -> Result:
    links = [msgspec.json.decode(value, type=Link) for value in bench.store.links.values()]
    return result_of(links, bench.commands)


def test_a_peer_links_and_merges_as_the_linker_does() -> None:
    """The same events give the same links, content and commands; what is not alike is told."""
    bench, memory = Bench(), Memory()
    for _, value in events(EVENTS, "t"):
        bench.say(msgspec.json.decode(value, type=Observed))
        memory.take(value)
    bench.open("customer")
    found = memory.result
    assert differences("the peer", as_the_linker(bench), found) is None
    assert (len(found.links), len(found.commands)) == (EVENTS // 4, len(bench.commands))
    assert len(found.commands) > EVENTS // 10
    words = differences("the peer", as_the_linker(bench), Result(found.links, {})) or ""
    assert words.startswith("the peer has 0 commands, the linker ")


def test_a_peer_links_by_reference_and_organisation_number_in_any_order() -> None:
    """Whichever side comes first; a newer version in which nothing changed and an older one write
    nothing."""
    data = {**customer(1, 0), "organisation_number": "974760673"}
    edited = {**data, "phone": "+47 2"}

    def event(
        system: System, id: str, version: int, data: object, stamp: str | None = None
    ) -> bytes:
        return msgspec.json.encode(
            {
                "type": "observed",
                "tenant": "t",
                "system": system,
                "entity": "customer",
                "id": id,
                "version": str(version),
                "mapping": 1,
                "observed_at": NOW,
                "data": data,
                "stamp": stamp,
            }
        )

    for theirs in (
        event("poweroffice", "7", 1, customer(1, 0), "cb-a"),
        event("poweroffice", "7", 1, data),
    ):
        for first, second in ((0, 1), (1, 0)):
            memory = Memory()
            pair = (event("chargebee", "a", 1, data), theirs)
            memory.take(pair[first])
            memory.take(pair[second])
            memory.take(event("chargebee", "a", 2, data))
            assert len(memory.result.links) == 1 and not memory.commands
            memory.take(event("chargebee", "a", 3, edited))
            memory.take(event("chargebee", "a", 2, data))
            (command,) = memory.commands
            assert (command.target, command.target_id) == ("poweroffice", "7")
            assert command.fields["phone"] == "+47 2"


def test_the_benchmark_of_shared_keys_prints_a_row_for_each_size() -> None:
    """At a small size: a head, and one row whose figures are above nothing."""

    async def lines(of: AsyncIterator[str]) -> list[str]:
        return [line async for line in of]

    head, row = asyncio.run(lines(shared_keys.measure(12)))
    assert all(name in head for name in shared_keys.COLUMNS)
    size, *figures = (int(each.replace(",", "")) for each in row.split())
    assert size == 12 and len(figures) == 3 and min(figures) > 0


def test_the_search_of_the_console_is_measured() -> None:
    """A line for the model, one for the heads, and one for each text."""

    async def lines() -> list[str]:
        return [each async for each in console.measure(60)]

    found = asyncio.run(lines())
    assert found[0].startswith("filled in")
    assert [each[:16].strip() for each in found[1:]] == ["text", *console.TEXTS]


def test_the_growth_of_the_linker_is_measured_on_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tenant decides its events: edits make commands, and newcomers become links."""
    monkeypatch.setattr(scale, "EVENTS", 60)
    variants = [scale.knowing(1, 8), scale.knowing(3, 8)]
    first, _second = scale.rounds(Kafka(KafkaSettings()), variants)
    assert first.split()[-1] == "1.00"
    for known in variants:
        for store in known.stores.values():
            assert store.size("customer") > 8
            assert any(b'"flight":{' in value for value in store.links.values())
