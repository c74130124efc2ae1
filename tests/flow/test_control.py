"""An adapter heeds the linker's switches at once, also for commands that it has taken already."""

import asyncio
from typing import Any

import msgspec
import pytest

from contracts.messages import Command, Control
from runtime import sinks
from runtime.control import ControlView
from runtime.sinks import Lane, SinkRunner
from tests.flow.memory import MemoryKafka, MemoryTransactions, consumer_record
from tests.flow.test_sinks import AT, FakeVendor, command, run, until


def fact(kind: str, id: str, value: dict[str, Any], tenant: str = "demo") -> Any:
    control = Control(tenant=tenant, kind=kind, id=id, at=AT, value=value)
    return consumer_record(
        "control", msgspec.json.encode(control), key=f"{tenant}/{kind}/{id}".encode()
    )


async def view_of(*held: Any) -> tuple[MemoryKafka, ControlView]:
    kafka = MemoryKafka({"control": held})
    view = ControlView(kafka, [0])  # type: ignore[arg-type]
    await view.start()
    return kafka, view


def words(view: ControlView, asked: Command) -> str | None:
    problem = view.held(asked)
    return problem.message if problem else None


def test_the_newest_fact_counts_and_each_switch_holds_what_it_names() -> None:
    """A pause holds one entity and direction, observe holds all, another account holds readings
    too."""

    async def scenario() -> None:
        kafka, view = await view_of(
            fact("pause", "order/poweroffice", {"at": AT}),
            fact("mode", "~", {"mode": "observe"}),
            fact("mode", "~", {"mode": "sync"}),
            fact("mode", "~", {"mode": "observe"}, tenant="other"),
        )
        assert words(view, command("900", entity="order")) == "order to poweroffice is paused"
        assert words(view, command("900", entity="order", op="verify")) is None
        assert words(view, command("900", entity="order", target="chargebee")) is None
        assert words(view, command("kari")) is None
        kafka.later.put_nowait(fact("pause", "order/poweroffice", {}))
        kafka.later.put_nowait(fact("mode", "~", {"mode": "observe"}))
        await until(lambda: words(view, command("kari")) == "the tenant observes")
        assert words(view, command("kari", op="verify")) is None
        kafka.later.put_nowait(
            fact("stopped", "chargebee", {"pinned": "y", "found": "x", "at": AT})
        )
        expected = "the tenant stands still: another chargebee account"
        await until(lambda: words(view, command("kari", op="verify")) == expected)
        await view.stop()

    run(scenario())


@pytest.mark.parametrize(
    ("kind", "id", "value", "expected"),
    [
        (
            "stopped",
            "chargebee",
            {"found": "x"},
            "the tenant stands still: another chargebee account",
        ),
        ("mode", "~", {"mode": "both"}, "the tenant observes"),
        ("pause", "customer/chargebee", {"at": 5}, "customer to chargebee is paused"),
    ],
)
def test_a_fact_that_is_none_is_taken_for_the_careful_case(
    kind: str, id: str, value: Any, expected: str
) -> None:
    """It can be decoded, but is not what its kind holds; `status` tells of it."""

    async def scenario() -> None:
        _, view = await view_of(fact(kind, id, value))
        assert words(view, command("kari", target="chargebee")) == expected
        assert f"demo/{kind}/{id}" in view.unreadable
        await view.stop()

    run(scenario())


def test_changes_after_the_start_are_told() -> None:
    """What was there before is not."""

    async def scenario() -> None:
        told: list[str] = []
        kafka = MemoryKafka({"control": [fact("mode", "~", {"mode": "sync"})]})
        view = ControlView(kafka, [0])  # type: ignore[arg-type]
        view.on_change.append(lambda control: told.append(f"{control.kind} {control.value}"))
        await view.start()
        kafka.later.put_nowait(fact("pause", "order/chargebee", {"at": AT}))
        await until(lambda: told)
        assert told == [f"pause {{'at': '{AT}'}}"]
        await view.stop()

    run(scenario())


def test_a_pause_stops_commands_that_were_taken_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is at the vendor, the rest is answered as parked, and the vendor is asked nothing
    more."""
    monkeypatch.setattr(sinks, "PartitionTransactions", MemoryTransactions)

    async def scenario() -> None:
        kafka, view = await view_of()
        at_vendor, go_on = asyncio.Event(), asyncio.Event()

        async def slow(asked: Command) -> Any:
            at_vendor.set()
            await go_on.wait()
            return await FakeVendor().apply(asked)

        vendor = FakeVendor(slow)

        async def signal(*_: Any) -> None:
            return None

        lane = Lane(vendor.apply, vendor.probe, view.held, workers=1)
        runner = SinkRunner(kafka, "poweroffice", [0], {"demo": lane}, signal)  # type: ignore[arg-type]
        await runner.start()
        taken = [
            consumer_record("commands.poweroffice", msgspec.json.encode(command(f"k{n}")), offset=n)
            for n in range(20)
        ]
        await runner.take(tuple(taken))
        await at_vendor.wait()
        kafka.later.put_nowait(fact("pause", "customer/poweroffice", {"at": AT}))
        await until(lambda: view.held(command("k1")) is not None)
        go_on.set()
        await until(lambda: len(kafka.outcomes()) == 20)
        answers = [
            (each.result, each.error.code if each.error else None) for each in kafka.outcomes()
        ]
        assert answers == [("applied", None), *[("parked", "paused")] * 19]
        assert vendor.links() == ["k0"]
        await runner.stop()
        await view.stop()

    run(scenario())
