"""What the site's invoices and orders mean for `order.source`, in counts: an order holds shippable
goods only.

At most MAX_PAGES requests for the newest invoices since `start.orders` and one for each
ORDERS_AT_ONCE of the orders that they name; nothing is asked where `start.orders` is not set.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from contracts.checks import Checked, finding, not_checked, note, ok
from contracts.settings import Tenant
from services.chargebee_adapter.client import PAGE, ChargebeeClient, Raw, any_of
from services.chargebee_adapter.mapping import OWN_PREFIX, id_of
from services.chargebee_adapter.order.invoices import invoiced_on, is_sale
from services.chargebee_adapter.order.reader import entries

SALES = "Chargebee invoices and orders"
MAX_PAGES, ORDERS_AT_ONCE, DAY_S = 3, 50, 86_400
ROUNDING_MINOR = 1


@dataclass(frozen=True)
class Counts:
    """Invoices of the site by the share of their amount that stands in orders. `unpaid`: those of
    `none` that are not paid, for which Chargebee may still make orders."""

    whole: int
    part: int
    none: int
    unpaid: int

    @property
    def all(self) -> int:
        return self.whole + self.part + self.none


async def sales(name: str, tenant: Tenant, client: ChargebeeClient) -> list[Checked]:
    """How many invoices have orders that hold all, a part or nothing of them, and what follows from
    that."""
    since = tenant.start.orders
    if since is None:
        return [not_checked(SALES, "start.orders is not set, so orders are not read at all")]
    invoices, is_sample = await _invoices(client, since, ZoneInfo(tenant.zone))
    counts = count(invoices, await _orders(client, invoices))
    which = f"the newest {counts.all} invoices" if is_sample else f"{counts.all} invoices"
    return [told(name, tenant.order.source, counts, f"{which} since {since}")]


async def _invoices(client: ChargebeeClient, since: date, zone: ZoneInfo) -> tuple[list[Raw], bool]:
    """The newest final invoices that others made, and whether there are more."""
    from_s = int(datetime.combine(since, datetime.min.time(), zone).timestamp()) - DAY_S
    query = {"limit": str(PAGE), "sort_by[desc]": "date", "date[after]": str(from_s)}
    found: list[Raw] = []
    for _ in range(MAX_PAGES):
        answer = await client.get("/invoices", query)
        rows = [each.get("invoice") for each in answer.get("list") or () if isinstance(each, dict)]
        found += [raw for raw in rows if isinstance(raw, dict) and _counts(raw, since, zone)]
        if not answer.get("next_offset"):
            return found, False
        query["offset"] = str(answer["next_offset"])
    return found, True


def _counts(raw: Raw, since: date, zone: ZoneInfo) -> bool:
    day = invoiced_on(raw, zone)
    final = is_sale(raw) and raw.get("status") != "voided" and raw.get("deleted") is not True
    return final and not id_of(raw).startswith(OWN_PREFIX) and (day is None or day >= since)


async def _orders(client: ChargebeeClient, invoices: Iterable[Raw]) -> list[Raw]:
    ids = sorted({id_of(each) for raw in invoices for each in entries(raw, "linked_orders")} - {""})
    found: list[Raw] = []
    for start in range(0, len(ids), ORDERS_AT_ONCE):
        found += await client.all(
            "order", "/orders", {"id[in]": any_of(ids[start : start + ORDERS_AT_ONCE])}
        )
    return found


def count(invoices: Iterable[Raw], orders: Iterable[Raw]) -> Counts:
    """Sort invoices by what their orders add up to; a resend holds nothing new. Amounts are in
    minor units."""
    held: dict[str, int] = {}
    for raw in orders:
        if not raw.get("original_order_id"):
            invoice_id = str(raw.get("invoice_id"))
            held[invoice_id] = held.get(invoice_id, 0) + _minor(raw.get("total"))
    whole = part = none = unpaid = 0
    for raw in invoices:
        ordered = held.get(id_of(raw), 0)
        missing = _minor(raw.get("total")) - ordered
        if missing <= abs(_minor(raw.get("round_off_amount"))) + ROUNDING_MINOR:
            whole += 1
        elif ordered > 0:
            part += 1
        else:
            none += 1
            unpaid += raw.get("status") != "paid"
    return Counts(whole, part, none, unpaid)


def _minor(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def told(name: str, source: str, counts: Counts, which: str) -> Checked:
    """The counts in words, and what follows from them under this `order.source`."""
    if not counts.all:
        return ok(SALES, f"order.source is {source}; there are no {which.partition(' ')[2]}")
    unpaid = f" ({counts.unpaid} of those not paid yet)" if counts.unpaid else ""
    words = (
        f"of {which} {counts.whole} have orders that hold the whole amount, {counts.part} in part, "
        f"{counts.none} none{unpaid}; order.source is {source}"
    )
    if source == "invoices":
        return ok(SALES, f"{words}, so each crosses whole and orders are not read")
    decided = f'tenants.{name}.order.source = "invoices"'
    fix = f"where those sales belong in Go, set {decided}, which carries each invoice whole"
    if counts.none > counts.unpaid and not counts.whole + counts.part:
        return finding(SALES, f"{words}, so nothing that is sold reaches Go", fix)
    if counts.part or counts.none > counts.unpaid:
        return note(
            SALES,
            f"{words}, so what is in no order does not reach Go (not_whole tells of each part)",
            fix,
        )
    return ok(SALES, words)
