"""A release that reads Go otherwise and that carries one more field: the real source and sweep, and
the linker."""

from typing import Any

import msgspec
import pytest

from contracts import mappings
from contracts.entities import FIELDS, Customer
from contracts.messages import Command, Observed
from services.poweroffice_adapter import feed, mapping
from services.poweroffice_adapter.customer import canonical
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.source import Source
from tests.contract.test_poweroffice_adapter import World, play
from tests.contract.test_poweroffice_adapter import address as address
from tests.unit.bench import NEXT, Bench

pytestmark = pytest.mark.calm


def release(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on the adapter and the linker are those of the next release."""
    right = canonical._party

    def party(*seen: Any) -> Any:
        made = right(*seen)
        assert isinstance(made, Customer)
        return msgspec.structs.replace(made, phone=made.phone and f"+47 {made.phone}")

    monkeypatch.setattr(canonical, "_party", party)
    monkeypatch.setitem(mappings.REREAD["poweroffice"], NEXT, {"customer": frozenset({"phone"})})
    for module in (mapping, feed):
        monkeypatch.setattr(module, "MAPPING", NEXT)
    monkeypatch.setitem(FIELDS, "customer", (*FIELDS["customer"], "nickname"))


def say(bench: Bench, events: list[Observed], **more: str) -> list[Command]:
    """Hand over events of Go; those of the next release carry one more field."""
    return [
        command
        for event in events
        for command in bench.say(
            msgspec.structs.replace(event, tenant="t", data={**(event.data or {}), **more})
        )
    ]


def test_five_customers_that_nobody_edited_are_written_nowhere(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what somebody edited while the release came is carried."""

    async def scene(w: World) -> None:
        ids = [
            await w.make_customer(
                Name=f"Firma {number} AS",
                PhoneNumber=f"2233445{number}",
                EmailAddress=f"a{number}@b.no",
                MailAddress={
                    "AddressLine1": "Gate 1",
                    "City": "Oslo",
                    "ZipCode": "0150",
                    "CountryCode": "NO",
                },
            )
            for number in range(5)
        ]
        await w.source.step("customer")
        bench = Bench()
        for event in w.publisher.taken():
            say(bench, [event])
            bench.see("chargebee", f"go-{event.id}", 1, event.data, stamp=f"go-{event.id}")
        assert bench.open("customer") == []
        assert {bench.link(f"go-{each}").state for each in ids} == {"linked"}
        release(monkeypatch)
        moved = {"AddressLine1": "Gate 2", "City": "Oslo", "ZipCode": "0150", "CountryCode": "NO"}
        await w.edit(f"/Customers/{ids[0]}", MailAddress=moved)
        again = Source(
            "demo", w.tenant, w.client, w.publisher, Observations(1000), clock=w.source._clock
        )
        await again.sweep()
        events = [event for event in w.publisher.taken() if event.entity == "customer"]
        assert sorted((event.id, event.mapping) for event in events) == sorted(
            (each, NEXT) for each in ids
        )
        commands = say(bench, events, nickname="Go kaller det slik")
        # Of a record that has moved, what the release reads otherwise cannot be told from an edit.
        assert [(each.link, list(each.fields)) for each in commands] == [
            (f"go-{ids[0]}", ["phone", "address"])
        ]
        link = bench.link(f"go-{ids[1]}")
        theirs = link.poweroffice
        assert theirs is not None
        assert (theirs.seen or {})["phone"] == "+47 22334451"
        assert theirs.unset == ["nickname"]
        seen = {
            **(link.chargebee.seen if link.chargebee and link.chargebee.seen else {}),
            "nickname": "Noe annet",
        }
        assert bench.see("chargebee", link.key, 2, seen, stamp=link.key, mapping=NEXT) == []
        assert bench.link(link.key).differences == ["nickname"]

    play(address, scene)
