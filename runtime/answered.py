"""What is counted and logged of a command that was answered."""

from datetime import UTC, datetime

import structlog

from contracts.entities import ENTITIES, SYSTEMS, System
from contracts.messages import Command, Outcome
from contracts.vendors import changed_at
from runtime.adapter_metrics import COMMAND_S, OUTCOMES, PROPAGATION_S
from runtime.clock import utc_now

log = structlog.get_logger()
OLDEST_YEAR = 2000  # what a vendor says of a time before is none, such as Go's 0001-01-01


def tell_answered(command: Command, outcome: Outcome, sent_s: float) -> None:
    """Count a command and what became of it, and log it: at level info where somebody's edit led to
    it, and at debug what belongs to a backfill. `sent_s` is when the command was put on Kafka, in
    Unix time."""
    tenant, entity, target = command.tenant, command.entity, command.target
    OUTCOMES.labels(tenant, target, entity, command.lane, outcome.result).inc()
    COMMAND_S.labels(tenant, target, entity, command.lane).observe(
        max(0.0, utc_now().timestamp() - sent_s),
    )
    if (took := propagation(command, outcome)) is not None:
        source, seconds = took
        PROPAGATION_S.labels(tenant, entity, source, target).observe(seconds)
    tell = log.info if command.lane == "live" else log.debug
    tell(
        "command.answered",
        tenant=tenant,
        entity=entity,
        link=command.link,
        cause=command.cause,
        seq=command.seq,
        system=target,
        op=command.op,
        result=outcome.result,
        calls=outcome.calls,
    )


def propagation(command: Command, outcome: Outcome) -> tuple[System, float] | None:
    """The source of a change and how many seconds it took from there, by that vendor's clock, until
    the target had accepted it; None of what was not written, belongs to a backfill, or follows from
    no change."""
    is_write = command.op in ("create", "update", "delete") and outcome.wrote
    if command.lane != "live" or outcome.result != "applied" or not is_write:
        return None
    # See `ce_id`; an id may hold slashes.
    _, system, entity, rest = (*command.cause.split("/", 3), "", "", "")[:4]
    source = next((each for each in SYSTEMS if each == system and each != command.target), None)
    changed = changed_at(rest.rpartition("/")[2]) if source and entity in ENTITIES else None
    if source is None or changed is None or changed.year < OLDEST_YEAR:
        return None
    if changed.tzinfo is None:
        changed = changed.replace(tzinfo=UTC)
    return source, max(0.0, (datetime.fromisoformat(outcome.at) - changed).total_seconds())
