"""What is a sale in Chargebee, its orders or its invoices (`order.source`): pinned like the
account. Pure.

An invoice and the orders that Chargebee generates for it are one sale. Whoever changes the source
while orders are linked would have it in Go twice, so that is refused unless `start.orders` leaves
the linked ones behind.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from contracts import facts
from contracts.entities import EntityName
from contracts.messages import ORDER_SOURCE, Link, LinkState
from contracts.said import Said, english, say
from contracts.vendors import invoice_id_of, invoice_order_id, own_chargebee_id, reference_of
from services.linker.match import is_distinct
from services.linker.state import State

MAX_SISTERS = 20  # of the other source that stand for the same invoice
OrderSource = Literal["orders", "invoices"]


class Aside(NamedTuple):
    """Why an order of Chargebee is not created in Go."""

    state: LinkState
    said: Said
    candidates: list[str]


class Carried(NamedTuple):
    """An order that crossed, or may have: its key and order date (ISO 8601, None where it is not
    known)."""

    key: str
    date: str | None


def _pinned(state: State) -> str | None:
    held = facts.get(state, facts.Identity, ORDER_SOURCE)
    return held.id if held is not None else None


def source_of(state: State) -> OrderSource:
    """The pinned source; that of the settings while none is."""
    pinned = _pinned(state)
    return (
        state.policy.order_source
        if pinned is None
        else "invoices"
        if pinned == "invoices"
        else "orders"
    )


def own_id(state: State, entity: EntityName, poweroffice_id: str) -> str:
    """The id under which a record born in Go is read in Chargebee once we have created it."""
    own = own_chargebee_id(poweroffice_id)
    return invoice_order_id(own) if entity == "order" and source_of(state) == "invoices" else own


def judge(state: State, now: str) -> None:
    """Pin the source of the settings, or stop the tenant where another is pinned and orders of it
    are linked."""
    wanted = state.policy.order_source
    pinned = _pinned(state)
    before: OrderSource | None = (
        None if pinned is None else "invoices" if pinned == "invoices" else "orders"
    )
    if before is None and wanted == "invoices":
        before = "orders"  # all there was before this was a choice
    found = list(carried(state, before)) if before not in (None, wanted) else []
    if before is None or not found or _left_behind(found, state.policy.start_orders):
        if pinned != wanted:
            facts.put(state, facts.Identity(id=wanted, at=now), ORDER_SOURCE)
        if facts.holds(state, facts.Stopped, ORDER_SOURCE):
            facts.take_back(state, facts.Stopped, ORDER_SOURCE)
        return
    last = max(found, key=lambda each: each.date or "9999")
    told = {"source": wanted, "count": len(found), "before": before, "key": last.key}
    said = (
        say("source_changed", date=last.date, **told)
        if last.date
        else say("source_changed_undated", **told)
    )
    words = english(said)
    held = facts.get(state, facts.Stopped, ORDER_SOURCE)
    if held is None or held.words != words:
        stopped = facts.Stopped(pinned=before, found=wanted, at=now, words=words, said=[said])
        facts.put(state, stopped, ORDER_SOURCE)


def _left_behind(found: list[Carried], start: str | None) -> bool:
    return start is not None and all(each.date is not None and each.date < start for each in found)


def carried(state: State, source: OrderSource | None) -> Iterator[Carried]:
    """The orders of this source that stand in both systems, or may. A look at every link, for a
    change only."""
    for entity, key in state.some(
        sum(state.size(each) for each in ("customer", "product", "order"))
    ):
        link = state.get(entity, key) if entity == "order" else None
        if link is not None and _may_be_twice(link) and source_of_link(link) in (source, None):
            dates = [
                (side.seen or {}).get("order_date")
                for side in (link.chargebee, link.poweroffice)
                if side
            ]
            yield Carried(key, max((each for each in dates if each), default=None))


def _may_be_twice(link: Link) -> bool:
    both = link.chargebee is not None and link.poweroffice is not None
    stamp = link.poweroffice.stamp if link.poweroffice is not None else None
    stamped = reference_of("poweroffice", stamp) is not None
    return both or stamped or link.flight is not None or link.maybe_applied


def source_of_link(link: Link) -> OrderSource | None:
    """Which source an order of Chargebee came from, by its id or by our reference in Go; None where
    neither tells."""
    if link.chargebee is not None:
        return "orders" if invoice_id_of(link.chargebee.id) is None else "invoices"
    stamp = link.poweroffice.stamp if link.poweroffice is not None else None
    if (named := reference_of("poweroffice", stamp)) is None:
        return None
    # Orders have at most 40 characters, so a hashed reference names an invoice.
    is_invoice = named.id is None or invoice_id_of(named.id) is not None
    return "invoices" if is_invoice else "orders"


def aside(state: State, link: Link) -> Aside | None:
    """Why an order of Chargebee is not to be created: it is of the other source, or its sale has
    crossed as that."""
    if link.chargebee is None:
        return None
    of, source = source_of_link(link), source_of(state)
    if of != source:
        return Aside("ignored", say("other_source", source=source, of=of), [])
    number = ((link.chargebee.seen or {}).get("invoice") or {}).get("number")
    sisters = [
        state.get(*name) for name in state.find(f"order|invoice|chargebee|{number}", MAX_SISTERS)
    ]
    keys = [
        each.key for each in sisters if each and each.poweroffice and source_of_link(each) != source
    ]
    if not keys or is_distinct(state, "order", "chargebee", link.chargebee.id):
        return None
    return Aside(
        "ambiguous",
        say("in_go_already", number=number, keys=", ".join(keys[:3])),
        keys[:MAX_SISTERS],
    )
