"""What people call a record: the name of a person, company or product, and of an order its number,
customer and total.

Pure. Names come from what was seen of the records; of an order one more link is looked up, that of
its customer.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from contracts.entities import SYSTEMS, EntityName
from contracts.messages import Link
from contracts.said import Said, english, say
from contracts.units import exponent
from services.console.known import Known
from services.console.model_rows import side_of


class Named(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What a record is called: `name` is that of a person, company or product, or an order's
    number. Of an order besides: the customer's name, and the total (decimal text, tax included)
    with its currency. Blank where not seen."""

    name: str = ""
    customer: str = ""
    currency: str = ""
    total: str = ""


class Names:
    """Names of the links of one tenant; each customer is looked up once."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._customers: dict[tuple[str, str], str] = {}

    def of(self, link: Link) -> Named:
        """The names of a link."""
        seen = seen_of(link)
        if link.entity != "order":
            return Named(name=name_of(link))
        return Named(
            name=str(seen.get("number") or (seen.get("invoice") or {}).get("number") or ""),
            customer=self._customer(link),
            currency=str(seen.get("currency") or ""),
            total=str(seen.get("total") or ""),
        )

    def _customer(self, link: Link) -> str:
        for system in SYSTEMS:
            side = side_of(link, system)
            record_id = str(((side and side.seen) or {}).get("customer_id") or "")
            if not record_id:
                continue
            if (system, record_id) not in self._customers:
                holder = self._known.holder("customer", system, record_id)
                self._customers[system, record_id] = name_of(holder) if holder is not None else ""
            if found := self._customers[system, record_id]:
                return found
        return ""

    def called(self, link: Link) -> str:
        """`customer Kari Nordmann (kari)`, `order 41 of Kari Nordmann, NOK 1250.00 (41)`."""
        return called(link.entity, link.key, self.of(link))

    def said(self, link: Link) -> Said:
        """The same as a sentence."""
        return called_said(link.entity, link.key, self.of(link))


def seen_of(link: Link) -> dict[str, Any]:
    """What was seen of a link: in Chargebee, else in Go; empty where nothing was."""
    sides = (side_of(link, system) for system in SYSTEMS)
    return next((side.seen for side in sides if side is not None and side.seen), {})


def name_of(link: Link) -> str:
    """The name of a link's person, company or product, from the first side that has one; blank for
    none."""
    for system in SYSTEMS:
        side = side_of(link, system)
        seen = (side and side.seen) or {}
        person = " ".join(filter(None, (seen.get("first_name"), seen.get("last_name"))))
        if found := str(seen.get("company") or person or seen.get("name") or ""):
            return found
    return ""


def words_of(named: Named) -> str:
    """The names in words, without the key: `41 of Kari Nordmann, NOK 1250.00`; blank where nothing
    was seen."""
    return english(*said_of(named))


def said_of(named: Named) -> list[Said]:
    """The same as a sentence; none where nothing was seen."""
    if named.name and named.customer:
        what = [say("called_of", name=named.name, customer=named.customer)]
    elif named.customer:
        what = [say("called_of_bare", customer=named.customer)]
    else:
        what = [say("called", name=named.name)] if named.name else []
    total = total_of(named.currency, named.total)
    if total and what:
        return [say("called_total", called=what, total=total)]
    return what or ([say("called_total_bare", total=total)] if total else [])


def total_of(currency: str, total: str) -> str:
    """`NOK 1250.00`, with the decimals of the currency at least; blank without a total."""
    if not total:
        return ""
    amount = amount_in(total)
    words = total if amount is None else _written(currency, amount)
    return f"{currency} {words}".strip()


def _written(currency: str, amount: Decimal) -> str:
    try:
        places = exponent(currency)
    except ValueError:  # no currency that is known
        return f"{amount:f}"
    held = amount.as_tuple().exponent
    return f"{amount:.{places}f}" if isinstance(held, int) and -held < places else f"{amount:f}"


def called(entity: EntityName, key: str, named: Named) -> str:
    """A record as a person calls it, with the key that commands take in brackets."""
    return english(called_said(entity, key, named))


def called_said(entity: EntityName, key: str, named: Named) -> Said:
    """The same as a sentence."""
    if said := said_of(named):
        return say("record_called", entity=entity, called=said, key=key)
    return say("record_bare", entity=entity, key=key)


def sums(amounts: Iterable[tuple[str, str]]) -> dict[str, Decimal]:
    """The sum of totals (currency, decimal text) by currency; what has no total, or no number as
    one, is left out."""
    found: dict[str, Decimal] = {}
    for currency, total in amounts:
        if currency and (amount := amount_in(total)) is not None:
            found[currency] = found.get(currency, Decimal(0)) + amount
    return dict(sorted(found.items()))


def amount_in(total: str) -> Decimal | None:
    """The amount of a decimal text, None where it is no finite number."""
    try:
        amount = Decimal(total)
    except ArithmeticError:
        return None
    return amount if amount.is_finite() else None


def money(found: dict[str, Decimal]) -> str:
    """`EUR 300.00, NOK 1250.00`; blank for none."""
    return ", ".join(
        f"{currency} {_written(currency, amount)}" for currency, amount in found.items()
    )


def number_of(count: int, entity: str) -> str:
    """`1 order`, `12 orders`."""
    return f"{count} {entity}" if count == 1 else f"{count} {entity}s"
