"""What every adapter does, whichever its vendor: one suite against both, on their simulators."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts.entities import ENTITIES, FIELDS, EntityName, System, typed
from contracts.messages import Outcome
from runtime.vendor import NotFound, Refused
from tests.conformance.fields import data_of, try_field, vendors_part
from tests.conformance.samples import LACKING, PERSON, Values
from tests.conformance.subjects import Subject, made, subject_at, whole
from tests.waiting import CAP_S

# A field of each entity, and a value that nobody has entered.
CHANGES: dict[EntityName, Values] = {
    "customer": {"company": "Nytt Navn AS"},
    "product": {"name": "Nytt navn"},
    "order": {"order_date": "2026-03-20"},
}
UNKNOWN = "404404"


def play(system: System, address: str, scene: Callable[[Subject], Awaitable[None]]) -> None:
    """Play a scene on an empty simulator."""

    async def run() -> None:
        async with subject_at(system, address) as subject:
            await scene(subject)

    asyncio.run(asyncio.wait_for(run(), CAP_S))


@pytest.mark.parametrize("entity", ENTITIES)
def test_what_is_created_is_what_is_read(system: System, address: str, entity: EntityName) -> None:
    """The outcome holds the state as the next reading does, at the same version."""

    async def scene(subject: Subject) -> None:
        created = await made(subject, entity)
        assert (created.result, created.wrote, created.error) == ("applied", True, None)
        read = await subject.reading(entity, created.id)
        assert (read.data, read.stamp, read.problem) == (created.data, created.stamp, None)
        assert vendors_part(read.version) == vendors_part(created.version)
        assert typed(entity, data_of(created)) is not None

    play(system, address, scene)


@pytest.mark.parametrize("entity", ENTITIES)
def test_every_field_is_read_and_written(
    system: System, address: str, entity: EntityName, subtests: pytest.Subtests
) -> None:
    """A row without a value here, or without a mapping in an adapter, fails."""

    async def scene(subject: Subject) -> None:
        records: dict[str, Outcome] = {}
        for name in FIELDS[entity]:
            with subtests.test(field=name):
                await try_field(subject, entity, name, records)

    play(system, address, scene)


def test_a_person_is_read_as_one(system: System, address: str) -> None:
    async def scene(subject: Subject) -> None:
        created = await made(subject, "customer", PERSON)
        held = data_of(created)
        assert (held["kind"], held["company"], held["organisation_number"]) == (
            "person",
            None,
            None,
        )
        assert (await subject.reading("customer", created.id)).data == held

    play(system, address, scene)


@pytest.mark.parametrize("entity", ENTITIES)
def test_an_edit_beside_ours_makes_the_command_stale(
    system: System, address: str, entity: EntityName
) -> None:
    """The outcome holds what the person entered, and nothing is written."""

    async def scene(subject: Subject) -> None:
        created = await made(subject, entity)
        fields = CHANGES[entity]
        expected = {name: data_of(created)[name] for name in fields}
        await subject.edit(entity, created.id or "")
        before = await subject.writes()
        outcome = await subject.apply(
            entity, "update", target_id=created.id, fields=fields, expected=expected
        )
        assert (outcome.result, outcome.wrote, await subject.writes()) == ("stale", False, before)
        assert all(data_of(outcome)[name] not in (expected[name], fields[name]) for name in fields)

    play(system, address, scene)


def test_a_stale_outcome_says_what_is_held_already(system: System, address: str) -> None:
    async def scene(subject: Subject) -> None:
        created = await made(subject, "customer")
        outcome = await subject.apply(
            "customer",
            "update",
            target_id=created.id,
            fields={"email": "ny@fjordvik.no", "phone": data_of(created)["phone"]},
            expected={"email": "gammel@fjordvik.no", "phone": "1"},
        )
        assert (outcome.result, outcome.done) == ("stale", ("phone",))

    play(system, address, scene)


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_same_command_twice_writes_once(
    system: System, address: str, entity: EntityName
) -> None:
    """An update finds its values, a creation its own record."""

    async def scene(subject: Subject) -> None:
        fields = await whole(subject, entity)
        stamp = subject.stamp(9)
        created = await subject.apply(entity, "create", stamp=stamp, fields=fields)
        before = await subject.writes()
        again = await subject.apply(entity, "create", stamp=stamp, fields=fields, look_first=True)
        assert (again.result, again.id, await subject.writes()) == ("adopted", created.id, before)
        changes = CHANGES[entity]
        facts = {
            "target_id": created.id,
            "fields": changes,
            "expected": {name: data_of(created)[name] for name in changes},
        }
        first = await subject.apply(entity, "update", **facts)
        before = await subject.writes()
        second = await subject.apply(entity, "update", **facts)
        assert (first.result, first.wrote) == ("applied", True)
        assert (second.result, second.wrote, second.data) == ("applied", False, first.data)
        assert await subject.writes() == before

    play(system, address, scene)


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_verification_reads_and_writes_nothing(
    system: System, address: str, entity: EntityName
) -> None:
    async def scene(subject: Subject) -> None:
        created = await made(subject, entity)
        before = await subject.writes()
        seen = await subject.apply(entity, "verify", target_id=created.id)
        assert (seen.result, seen.data, seen.stamp) == ("applied", created.data, created.stamp)
        assert await subject.writes() == before

    play(system, address, scene)


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_reference_is_written_where_there_is_room(
    system: System, address: str, entity: EntityName
) -> None:
    """Once: another one does not replace it, and only our own is taken away."""

    async def scene(subject: Subject) -> None:
        if entity not in subject.stamped:
            created = await made(subject, entity)
            with pytest.raises(Refused):
                await subject.apply(entity, "stamp", target_id=created.id, stamp=subject.stamp(70))
            return
        id = await subject.enter(entity)
        assert (await subject.reading(entity, id)).stamp is None
        before = await subject.writes()
        for _ in range(2):
            stamped = await subject.apply(entity, "stamp", target_id=id, stamp=subject.stamp(70))
            assert (stamped.result, stamped.stamp) == ("applied", subject.stamp(70))
        assert await subject.writes() == before + 1
        read = await subject.reading(entity, id)
        assert (read.stamp, read.data) == (subject.stamp(70), stamped.data)
        with pytest.raises(Refused) as taken:
            await subject.apply(entity, "stamp", target_id=id, stamp=subject.stamp(71))
        assert taken.value.code == "stamp_taken"
        bare = await subject.apply(entity, "stamp", target_id=id)
        assert (bare.stamp, (await subject.reading(entity, id)).stamp) == (None, None)

    play(system, address, scene)


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_removal_is_carried_out_or_refused(
    system: System, address: str, entity: EntityName
) -> None:
    async def scene(subject: Subject) -> None:
        created = await made(subject, entity)
        guard = {"status": "draft"} if entity == "order" else {}
        before = await subject.writes()
        if entity not in subject.removed:
            with pytest.raises(Refused) as error:
                await subject.apply(entity, "delete", target_id=created.id, expected=guard)
            assert (error.value.code, await subject.writes()) == ("unsupported", before)
            return
        facts = {"target_id": created.id, "target_version": created.version, "expected": guard}
        for wrote in (True, False):
            gone = await subject.apply(entity, "delete", **facts)
            assert (gone.result, gone.deleted, gone.wrote) == ("applied", True, wrote)
        assert (gone.version or "") > (created.version or "")

    play(system, address, scene)


@pytest.mark.parametrize("entity", ENTITIES)
def test_an_unknown_id_is_told(system: System, address: str, entity: EntityName) -> None:
    """A verification may say that the record is gone, since it was there once."""

    async def scene(subject: Subject) -> None:
        with pytest.raises(NotFound):
            await subject.apply(entity, "update", target_id=UNKNOWN, fields=CHANGES[entity])
        if entity in subject.stamped:
            with pytest.raises(NotFound):
                await subject.apply(entity, "stamp", target_id=UNKNOWN, stamp=subject.stamp(7))
        try:
            assert (await subject.apply(entity, "verify", target_id=UNKNOWN)).deleted
        except NotFound:
            pass
        assert await subject.writes() == 0

    play(system, address, scene)


@pytest.mark.parametrize(("entity", "fields", "name"), LACKING)
def test_a_refusal_names_the_field(
    system: System, address: str, entity: EntityName, fields: Values, name: str
) -> None:
    """Before anything is written."""

    async def scene(subject: Subject) -> None:
        wanted = {**await whole(subject, entity, fields), name: fields[name]}
        before = await subject.writes()
        with pytest.raises(Refused) as error:
            await subject.apply(entity, "create", stamp=subject.stamp(9), fields=wanted)
        assert (error.value.field, await subject.writes()) == (name, before)
        assert error.value.message

    play(system, address, scene)


@pytest.mark.parametrize("entity", ["customer", "product"])
def test_a_twin_is_found_where_it_is_looked_for(
    system: System, address: str, entity: EntityName
) -> None:
    async def scene(subject: Subject) -> None:
        id, fields = await subject.enter(entity), await whole(subject, entity)
        met = await subject.apply(
            entity, "create", stamp=subject.stamp(9), fields=fields, look_for_twins=True
        )
        assert (met.result, met.twins, met.wrote) == ("stale", (id,), False)
        assert await subject.writes() == 0

    play(system, address, scene)


@pytest.mark.parametrize("entity", ENTITIES)
def test_versions_never_fall_and_compare_as_text(
    system: System, address: str, entity: EntityName
) -> None:
    """Whoever writes, and whether a version stands in an outcome or in a reading."""

    async def scene(subject: Subject) -> None:
        created = await made(subject, entity)
        versions = [created.version]

        async def then(op: str, **facts: Any) -> None:
            outcome = await subject.apply(
                entity, op, target_id=created.id, target_version=versions[-1], **facts
            )
            versions.append(outcome.version)

        await then("update", fields=CHANGES[entity])
        await then("verify")
        versions.append((await subject.reading(entity, created.id)).version)
        await subject.edit(entity, created.id or "")
        versions.append((await subject.reading(entity, created.id)).version)
        await then("verify")
        known = [each or "" for each in versions]
        assert known == sorted(known)
        assert "" not in known
        assert vendors_part(known[0]) < vendors_part(known[-1])

    play(system, address, scene)
