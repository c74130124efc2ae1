"""Whether what a run has read is still there: a record is kept as it was read last, so that a later
run takes the readings of an earlier one away, and for some days only."""

from collections.abc import Sequence

from contracts.entities import ENTITIES, SYSTEMS, EntityName
from contracts.messages import Control
from services.console.model import ReadModel


def newest(runs: Sequence[Control], entity: EntityName) -> Control | None:
    """The run that read an entity last, or reads it now; None for none."""
    found = [each for each in runs if entity in entities_of(each)]
    return max(found, key=_begun, default=None)


def overtaken_by(runs: Sequence[Control], run: Control) -> Control | None:
    """A later run that has read some of what a run read; None while all of it is as it found it."""
    return next(
        (
            each
            for each in runs
            if _begun(each) > _begun(run) and entities_of(each) & entities_of(run)
        ),
        None,
    )


def are_kept(model: ReadModel, run: Control, entity: EntityName) -> bool:
    """Whether what a run read of an entity is still there: Kafka keeps readings for some days, and
    a read model that is made anew holds what Kafka has."""
    counts = run.value.get("parts", {})
    read = {event.system for event in model.readings(run.tenant, run.id, entity)}
    return all(system in read or not counts.get(f"{system}/{entity}") for system in SYSTEMS)


def entities_of(run: Control) -> frozenset[EntityName]:
    """What a run reads: of a reconcile and a rebuild the parts that it waits for. A replay asks for
    records and keeps no readings."""
    if run.value.get("kind") == "replay":
        return frozenset()
    if parts := run.value.get("parts"):
        return frozenset(each for each in ENTITIES if any(p.endswith(f"/{each}") for p in parts))
    entity = (run.value.get("args") or {}).get("entity")
    return frozenset(each for each in ENTITIES if entity in (None, each))


def _begun(run: Control) -> str:
    return str(run.value.get("at", ""))
