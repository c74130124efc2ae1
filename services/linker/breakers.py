"""Breakers: more creations, changes or deletions of an entity than usual are held as a batch a person can read. Pure.

A breaker counts what it lets pass within a window; what comes beyond joins the batch `<class>-<number>` until an
operator releases or discards it. An order whose total differs too much opens the breaker of order creations.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from contracts.entities import EntityName
from contracts.messages import Op
from services.linker.state import State


def class_of(op: Op, fields: dict[str, Any]) -> str | None:
    """creates, changes or deletes; stamps and verifications count as nothing."""
    if op == "create":
        return "creates"
    if op == "delete" or fields.get("archived") is True:
        return "deletes"
    return "changes" if op == "update" else None


def batch_for(state: State, entity: EntityName, kind: str, now: str) -> str | None:
    """Count one command; the name of the batch that takes it, or None when it passes. `now` is ISO 8601."""
    name, limit = f"{entity}/{kind}", state.policy.breakers.get(kind)
    held = dict(state.control("breaker", name) or {"batch": 0, "open": False, "since": now, "count": 0})
    if held["open"]:
        return f"{kind}-{held['batch']}"
    if limit is None:
        return None
    if _seconds(held["since"], now) > state.policy.breaker_window_s:
        held |= {"since": now, "count": 0}
    held["count"] += 1
    passes = max(limit[0], int(state.size(entity) * limit[1] / 100))
    if held["count"] > passes:
        return trip(state, entity, kind, now)
    state.set_control("breaker", name, held)
    return None


def trip(state: State, entity: EntityName, kind: str, now: str) -> str:
    """Open a breaker; the name of its new batch."""
    held = dict(state.control("breaker", f"{entity}/{kind}") or {"batch": 0})
    batch = int(held["batch"]) + (0 if held.get("open") else 1)
    state.set_control("breaker", f"{entity}/{kind}", {"batch": batch, "open": True, "since": now, "count": 0})
    return f"{kind}-{batch}"


def close(state: State, entity: EntityName, kind: str, now: str) -> None:
    """Let commands of a class pass again, counted from now."""
    held = state.control("breaker", f"{entity}/{kind}")
    if held is not None:
        state.set_control("breaker", f"{entity}/{kind}", {**held, "open": False, "since": now, "count": 0})


def open_batches(state: State, entity: EntityName) -> list[str]:
    """The batches of an entity that wait for an operator."""
    held = {kind: state.control("breaker", f"{entity}/{kind}") for kind in ("creates", "changes", "deletes")}
    return [f"{kind}-{fact['batch']}" for kind, fact in held.items() if fact and fact["open"]]


def money_differs(state: State, ours: Any, theirs: Any) -> bool:
    """Whether two totals (decimal text, one currency) differ by more than the money breaker allows."""
    limit = state.policy.breakers.get("money")
    if limit is None or ours is None or theirs is None:
        return False
    a, b = Decimal(ours), Decimal(theirs)
    return abs(a - b) > max(Decimal(str(limit[0])), abs(a) * Decimal(str(limit[1])) / 100)


def _seconds(since: str, now: str) -> float:
    return (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()
