"""Each field of a record tried on an adapter: created, read, changed where its row says so, and
read again."""

from typing import Any

from contracts.entities import FIELDS, EntityName, field_of
from contracts.messages import Outcome
from tests.conformance.samples import NO_ROOM, TRIALS, Values
from tests.conformance.subjects import Subject, whole


def data_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.data is not None
    return outcome.data


def vendors_part(version: str | None) -> str:
    """The part of a version that the vendor gave; a rising number of the reading follows it."""
    return (version or "").partition("#")[0]


async def try_field(
    subject: Subject, entity: EntityName, name: str, records: dict[str, Outcome]
) -> None:
    """Create the sample with the field, unless it is among `records`, and change the field where
    its row says so."""
    sample, changed = TRIALS[entity][name]
    row, kind = field_of(entity, name), sample.get("kind", entity)
    assert row.once == (changed is None), f"{name} is {'' if row.once else 'not '}written once"
    if kind not in records:
        stamp, fields = subject.stamp(20 + len(records)), await whole(subject, entity, sample)
        records[kind] = await subject.apply(entity, "create", stamp=stamp, fields=fields)
        created = data_of(records[kind])
        for each in fields.keys() & set(FIELDS[entity]) - {"lines"}:
            assert same(created[each], fields[each]), each
        assert list(map(of_line, created.get("lines", ()))) == list(
            map(of_line, fields.get("lines", ()))
        )
    record = records[kind]
    if row.once or subject.system not in row.written or (subject.system, entity, name) in NO_ROOM:
        is_tried = bool(data_of(record)[name]) or (subject.system, entity, name) in NO_ROOM
        assert is_tried, "the sample says nothing of this field"
        return
    before = data_of(record)[name]
    assert not same(before, changed)
    update = {"target_id": record.id, "fields": {name: changed}, "expected": {name: before}}
    outcome = records[kind] = await subject.apply(entity, "update", **update)
    assert (outcome.result, outcome.wrote, outcome.skipped) == ("applied", True, {})
    assert same(data_of(outcome)[name], changed)
    read = await subject.reading(entity, record.id)
    assert read.data == outcome.data
    assert vendors_part(read.version) == vendors_part(outcome.version)


def same(held: Any, sent: Any) -> bool:
    """Whether a vendor holds what was sent; of a table only what it holds."""
    if isinstance(sent, dict):
        return {part: value for part, value in held.items() if value is not None} == {
            part: value for part, value in sent.items() if value is not None
        }
    return bool(held == sent)


def of_line(line: Values) -> Values:
    """What a line must keep; its id is the vendor's own."""
    names = ("product_id", "description", "quantity", "unit_price", "net", "tax")
    return {name: line[name] for name in names}
