"""Whether what a run has read is still there: a record is kept as it was read last, so that a later
run takes the readings of an earlier one away, and for some days only."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System
from contracts.messages import Control


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


def whole(run: Mapping[str, Any], entity: EntityName, kept: Container[System]) -> frozenset[System]:
    """The systems of which a run, as `control` holds it, has read an entity to its end; where there
    was anything, only those of which readings are `kept`. Kafka keeps them for some days, and a
    read model that is made anew holds what Kafka has."""
    counts = run.get("parts", {})
    return frozenset(
        system
        for system in SYSTEMS
        if (count := counts.get(f"{system}/{entity}")) is not None and (not count or system in kept)
    )


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
