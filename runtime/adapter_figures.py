"""The figures of an adapter that are read when they are asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client.core import Metric

from contracts.entities import System
from runtime.adapter_metrics import (
    COMMANDS_OPEN,
    HEADROOM,
    LAST_POLL,
    LAST_SWEEP,
    OLDEST_COMMAND_S,
    SNAPSHOT_SINCE,
    STOPPED,
)


@dataclass(frozen=True)
class Seen:
    """An adapter as it is now: each tenant's health, the part of its requests that is left (None
    without a limit), how many commands are open by tenant and lane, and how old each tenant's
    oldest is, in seconds."""

    health: Mapping[str, Mapping[str, Any]]
    headroom: Mapping[str, float | None]
    open: Mapping[tuple[str, str], int]
    oldest_s: Mapping[str, float]


def figures_of(system: System, seen: Seen) -> Iterator[Metric]:
    """Every figure of an adapter, with the tenant and system as its first labels."""
    tenants = sorted(seen.health)
    yield STOPPED.of(((each, system), float("stopped" in seen.health[each])) for each in tenants)
    yield HEADROOM.of(
        (
            (each, system),
            left,
        )
        for each, left in seen.headroom.items()
        if left is not None
    )
    yield COMMANDS_OPEN.of(
        ((each, system, lane), float(seen.open.get((each, lane), 0)))
        for each in tenants
        for lane in (
            "live",
            "bulk",
        )
    )
    yield OLDEST_COMMAND_S.of(((each, system), seen.oldest_s.get(each, 0.0)) for each in tenants)
    yield LAST_POLL.of(
        ((tenant, system, loop), at_s)
        for tenant in tenants
        for loop, at_s in _times(seen.health[tenant].get("last_poll_at"))
    )
    swept = ((tenant, _seconds(seen.health[tenant].get("last_sweep_at"))) for tenant in tenants)
    yield LAST_SWEEP.of(((tenant, system), at_s) for tenant, at_s in swept if at_s is not None)
    yield SNAPSHOT_SINCE.of(
        ((tenant, system, entity), at_s)
        for tenant in tenants
        for entity, at_s in _begun(seen.health[tenant].get("first_snapshots"))
    )


def _times(told: Any) -> Iterator[tuple[str, float]]:
    """Times in Unix seconds of a table of ISO 8601 texts; what is none is left out."""
    for name, text in told.items() if isinstance(told, Mapping) else ():
        if (at_s := _seconds(text)) is not None:
            yield name, at_s


def _begun(told: Any) -> Iterator[tuple[str, float]]:
    held = told if isinstance(told, Mapping) else {}
    return _times({name: each.get("since") for name, each in held.items()})


def _seconds(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except ValueError:
        return None
