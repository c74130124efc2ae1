"""Breakers: more creations, changes or deletions of an entity than usual are held as a batch a
person can read. Pure.

A breaker counts what it lets pass within a window; what comes beyond joins the batch
`<class>-<number>` until an operator releases or discards it. An order whose total differs too much
opens the breaker of the orders of its direction and currency.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from contracts import facts
from contracts.entities import EntityName, System
from contracts.messages import Op
from services.linker.state import State

MONEY = "money"
UNCOUNTED = frozenset(
    {"notice", "fulfilment"}
)  # what follows from a change that was counted where it was made


def class_of(op: Op, fields: dict[str, Any]) -> str | None:
    """creates, changes or deletes; stamps and verifications count as nothing."""
    if op == "create":
        return "creates"
    if op == "delete" or fields.get("archived") is True:
        return "deletes"
    return "changes" if op == "update" and not fields.keys() <= UNCOUNTED else None


def batch_for(state: State, entity: EntityName, kind: str, now: str) -> str | None:
    """Count one command; the name of the batch that takes it, or None when it passes. `now` is ISO
    8601."""
    name, limit = f"{entity}/{kind}", state.policy.breakers.get(kind)
    held = facts.get(state, facts.Breaker, name) or facts.Breaker(since=now)
    if held.open:
        return f"{kind}-{held.batch}"
    if limit is None:
        return None
    expired = _seconds(held.since, now) > state.policy.breaker_window_s
    since, count = (now, 1) if expired else (held.since, held.count + 1)
    passes = max(limit[0], int(state.pairs(entity) * limit[1] / 100))
    if count > passes:
        return trip(state, entity, kind, now)
    facts.put(state, facts.Breaker(batch=held.batch, since=since, count=count), name)
    return None


def trip(state: State, entity: EntityName, kind: str, now: str) -> str:
    """Open a breaker; the name of its new batch."""
    held = facts.get(state, facts.Breaker, f"{entity}/{kind}") or facts.Breaker()
    batch = held.batch + (0 if held.open else 1)
    facts.put(state, facts.Breaker(batch=batch, open=True, since=now), f"{entity}/{kind}")
    return f"{kind}-{batch}"


def money_kind(target: System, currency: str | None) -> str:
    """The breaker of orders in one direction and currency, which opens when the money of one
    differs too much."""
    return f"{MONEY}-{target}-{currency or 'none'}"


def money_batch(state: State, target: System, currency: str | None) -> str | None:
    """The batch that holds the orders of a direction and currency."""
    kind = money_kind(target, currency)
    held = facts.get(state, facts.Breaker, f"order/{kind}")
    return f"{kind}-{held.batch}" if held is not None and held.open else None


def close(state: State, entity: EntityName, kind: str, now: str) -> None:
    """Let commands of a class pass again, counted from now."""
    held = facts.get(state, facts.Breaker, f"{entity}/{kind}")
    if held is not None:
        facts.put(state, facts.Breaker(batch=held.batch, since=now), f"{entity}/{kind}")


def open_batches(state: State, entity: EntityName) -> list[str]:
    """The batches of an entity that wait for an operator."""
    found = []
    for name, value in sorted(state.facts(facts.Breaker.KIND).items()):
        of, _, kind = name.partition("/")
        held = facts.of(value, facts.Breaker)
        if of == entity and held is not None and held.open:
            found.append(f"{kind}-{held.batch}")
    return found


def money_differs(state: State, total: Any, gap: Any) -> bool:
    """Whether a difference of an order's money is more than the money breaker allows (decimal text,
    one currency)."""
    limit = state.policy.breakers.get("money")
    if limit is None or total is None or gap is None:
        return False
    return abs(Decimal(gap)) > max(
        Decimal(str(limit[0])), abs(Decimal(total)) * Decimal(str(limit[1])) / 100
    )


def _seconds(since: str, now: str) -> float:
    return (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()
