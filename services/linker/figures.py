"""The figures of the linker that are read when they are asked for, from the state in memory."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric

from contracts import facts
from contracts.entities import ENTITIES, SYSTEMS, EntityName
from contracts.messages import STOPPED_BY
from services.linker import metrics
from services.linker.books import PAID
from services.linker.runs import facts as runs
from services.linker.session import Session
from services.linker.store import Store

MODES = ("observe", "sync")
GATES = ("first", "observe", "paused", PAID)  # batches that no breaker makes
_Values = dict[tuple[str, ...], float]


def figures_of(stores: Mapping[str, Store], now: str) -> Iterator[Metric]:
    """Every figure of the tenants of a process. `now` is ISO 8601 UTC."""
    held = sorted(stores.items())
    yield metrics.LINKS.of(
        (
            (name, entity),
            float(store.size(entity)),
        )
        for name, store in held
        for entity in ENTITIES
    )
    yield metrics.MODE.of(
        (
            (name, mode),
            float(Session(store.child(), now).mode() == mode),
        )
        for name, store in held
        for mode in MODES
    )
    yield metrics.PAUSED.of(
        ((name, entity, system), _holds(store, facts.Pause, f"{entity}/{system}"))
        for name, store in held
        for entity in ENTITIES
        for system in SYSTEMS
    )
    yield metrics.SNAPSHOT_DONE.of(
        ((name, entity, system), _holds(store, facts.Barrier, f"{entity}/{system}"))
        for name, store in held
        for entity in ENTITIES
        for system in SYSTEMS
    )
    yield metrics.TENANT_STOPPED.of(
        ((name, by), _holds(store, facts.Stopped, by)) for name, store in held for by in STOPPED_BY
    )
    yield metrics.BULK_QUEUED.of(_counts(held, "queue"))
    yield metrics.BULK_OPEN.of(_counts(held, "flying"))
    yield from _breakers(held)
    yield from _runs(held)


def _holds(store: Store, kind: type[facts.Fact], id: str) -> float:
    return float(facts.holds(store, kind, id))


def _counts(held: list[tuple[str, Store]], bucket: str) -> Iterator[tuple[tuple[str, str], float]]:
    for name, store in held:
        for system in SYSTEMS:
            yield (name, system), float(store.count(f"{bucket}|{system}"))


def _breakers(held: list[tuple[str, Store]]) -> Iterator[Metric]:
    is_open: _Values = {}
    links: _Values = {}
    for name, store in held:
        for entity in ENTITIES:
            for gate in GATES:
                links[name, entity, gate] = float(store.count(f"held|{entity}|{gate}"))
        for id, value in store.facts(facts.Breaker.KIND).items():
            of, _, kind = id.partition("/")
            entity_of: EntityName | None = next((each for each in ENTITIES if each == of), None)
            if entity_of is None or (breaker := facts.of(value, facts.Breaker)) is None:
                continue
            is_open[name, of, kind] = float(breaker.open)
            batch = f"held|{of}|{kind}-{breaker.batch}"
            links[name, of, kind] = float(store.count(batch)) if breaker.open else 0.0
    yield metrics.BREAKER_OPEN.of(is_open.items())
    yield metrics.HELD.of(links.items())


def _runs(held: list[tuple[str, Store]]) -> Iterator[Metric]:
    active: _Values = {}
    counts: _Values = {}
    parts: _Values = {}
    for name, store in held:
        if (found := runs.active(store.child())) is None:
            continue
        _, run = found
        active[name, run.kind, run.state] = 1.0
        counts |= {(name, run.kind, what): float(count) for what, count in run.counts.items()}
        came = sum(records is not None for records in run.parts.values())
        parts[name, run.kind, "come"] = float(came)
        parts[name, run.kind, "awaited"] = float(len(run.parts) - came)
    yield metrics.RUN.of(active.items())
    yield metrics.RUN_COUNT.of(counts.items())
    yield metrics.RUN_PARTS.of(parts.items())
