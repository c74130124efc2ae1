"""Items with all their prices, and which item a price belongs to; shared by source and sink of one
tenant."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from contracts.settings import Tenant
from runtime.dead_letters import about
from services.chargebee_adapter.addresses import unaddressable
from services.chargebee_adapter.client import ChargebeeClient, Raw, any_of, decoded
from services.chargebee_adapter.mapping import Reading, id_of, milliseconds
from services.chargebee_adapter.product.canonical import Pricing, product

# Deleted ones too: a deletion raises the price's version, and without it the product's version
# would fall.
ALL_STATUSES = any_of(("active", "archived", "deleted"))
MAX_REMEMBERED = 2_000  # products, some two kilobytes each
COVERED_WITHIN_MS = 600_000  # a write of ours follows what its sink has read
_encoded = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True)
class Whole:
    """An item and all its item prices as the vendor sent them."""

    item: Raw
    prices: tuple[Raw, ...]

    def part(self, kind: str, name: str) -> Raw:
        """Its `item`, or the `item_price` of this id; empty where it has none such."""
        parts = (self.item,) if kind == "item" else self.prices
        return next((part for part in parts if id_of(part) == name), {})

    def with_price(self, price: Raw) -> "Whole":
        """The same with one price added or replaced."""
        others = tuple(each for each in self.prices if id_of(each) != id_of(price))
        return Whole(self.item, (*others, price))

    def before(self, kind: str, record: Raw) -> "Whole | None":
        """The same with this version of its `item` or of an `item_price`; None unless a newer one
        has taken its place, so soon after that a write may have covered what it held."""
        ours, version = self._versions(kind, record) or (0, 0)
        if not 0 < ours - version <= COVERED_WITHIN_MS:
            return None
        return Whole(record, self.prices) if kind == "item" else self.with_price(record)

    def newest(self, other: "Whole") -> "Whole":
        """Each part as the one or the other has it, whichever is newer."""
        item = other.item if milliseconds(other.item) >= milliseconds(self.item) else self.item
        prices = {id_of(price): price for price in self.prices}
        for price in other.prices:
            if milliseconds(price) >= milliseconds(prices.get(id_of(price), {})):
                prices[id_of(price)] = price
        return Whole(item, tuple(prices[each] for each in sorted(prices)))

    def holds(self, kind: str, record: Raw) -> bool:
        """Whether this version of its `item` or of an `item_price`, or a newer one, is in it."""
        versions = self._versions(kind, record)
        return versions is not None and versions[0] >= versions[1]

    def _versions(self, kind: str, record: Raw) -> tuple[int, int] | None:
        """The version of a part here, and in a record. A second that several versions share, where
        the vendor gives no `resource_version`, proves nothing."""
        held = self.part(kind, id_of(record))
        ours, version = held.get("resource_version"), record.get("resource_version")
        return (ours, version) if isinstance(ours, int) and isinstance(version, int) else None


def pricing_of(settings: Tenant) -> Pricing:
    """How the tenant's prices are read."""
    return Pricing(
        settings.ledger_currency, settings.chargebee.prices == "gross", settings.product.vat_rate
    )


class Catalogue:
    """Reads products whole, and remembers them: what a write of ours returned need not be read
    again for its echo, nor the half of a product that a write does not touch. Prices met outside of
    lists (webhooks, own writes) are kept until a list shows them, since Chargebee's lists lag
    writes by minutes."""

    def __init__(self, pricing: Pricing) -> None:
        self.pricing = pricing
        # Whether a list may show less than an earlier process has published; its source says so.
        self.lists_lag: Callable[[], bool] = lambda: False
        self._item_by_price: dict[str, str] = {}
        self._ahead_of_lists: dict[str, dict[str, Raw]] = {}
        self._remembered: OrderedDict[str, bytes] = OrderedDict()

    def remembered(self, item_id: str) -> Whole | None:
        """A product as it was read, written or told of last; None where it was not of late."""
        kept = self._remembered.get(item_id)
        if kept is None:
            return None
        item, prices = decoded(kept)
        return Whole(item, tuple(prices))

    def remember(self, whole: Whole) -> None:
        """Keep a product; of each part the newest."""
        item_id = id_of(whole.item)
        known = self.remembered(item_id)
        newest = whole if known is None else known.newest(whole)
        self._remembered[item_id] = _encoded((newest.item, newest.prices))
        self._remembered.move_to_end(item_id)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    def forget(self, item_id: str | None = None) -> None:
        """Remember this product no more, or none."""
        if item_id is None:
            self._remembered.clear()
        else:
            self._remembered.pop(item_id, None)

    def reading(self, whole: Whole) -> Reading:
        """The canonical product of an item and its prices."""
        with about(f"product {id_of(whole.item)}"):
            return product(whole.item, whole.prices, self.pricing)

    def note_listed(self, prices: Iterable[Raw]) -> None:
        """Remember which items the prices of a list belong to."""
        for price in prices:
            self._item_by_price[id_of(price)] = str(price.get("item_id"))

    def note_fresh(self, price: Raw) -> None:
        """Remember a price that lists may not show yet."""
        item_id = str(price.get("item_id"))
        self._item_by_price[id_of(price)] = item_id
        held = self._ahead_of_lists.setdefault(item_id, {})
        if milliseconds(price) >= milliseconds(held.get(id_of(price), {})):
            held[id_of(price)] = price
        if (known := self.remembered(item_id)) is not None:
            self.remember(known.with_price(price))

    def merged(self, item: Raw, listed: Iterable[Raw]) -> Whole:
        """An item with its listed prices, newer ones met elsewhere in their place."""
        prices = {id_of(price): price for price in listed}
        self.note_listed(prices.values())
        ahead = self._ahead_of_lists.get(id_of(item), {})
        for price_id, fresh in list(ahead.items()):
            if milliseconds(prices.get(price_id, {})) >= milliseconds(fresh):
                del ahead[price_id]
            else:
                prices[price_id] = fresh
        if not ahead:
            self._ahead_of_lists.pop(id_of(item), None)
        whole = Whole(item, tuple(prices[each] for each in sorted(prices)))
        self.remember(whole)
        return whole

    async def whole(self, api: ChargebeeClient, item_id: str) -> Whole | None:
        """An item with all its prices; None when there is no such item."""
        item = await api.find("item", "items", item_id)
        if item is None:
            self.forget(item_id)
            return None
        prices = await self.listed_prices(api, item_id, ALL_STATUSES)
        if self.lists_lag():
            prices = [await self._as_it_stands(api, price) for price in prices]
        return self.merged(item, prices)

    async def _as_it_stands(self, api: ChargebeeClient, price: Raw) -> Raw:
        """A listed price read by its id, which does not lag, where it may be the product's."""
        is_ours = price.get("currency_code") in (None, self.pricing.ledger_currency)
        return (await self.price(api, id_of(price)) if is_ours else None) or price

    async def price(self, api: ChargebeeClient, price_id: str) -> Raw | None:
        """A price by its id, which unlike a list does not lag; None where there is none, or it
        cannot be asked for."""
        if unaddressable("item_prices", price_id) is not None:
            return None
        return await api.find("item_price", "item_prices", price_id)

    async def listed_prices(self, api: ChargebeeClient, item_id: str, statuses: str) -> list[Raw]:
        """The prices of an item; `statuses` is the value of an `[in]` filter."""
        query = {"item_id[is]": item_id, "status[in]": statuses, "sort_by[asc]": "id"}
        return await api.all("item_price", "/item_prices", query)

    async def items_by_price(
        self, api: ChargebeeClient, price_ids: Iterable[str]
    ) -> Mapping[str, str]:
        """The item of each price; a price that the site does not know or cannot be asked for is
        left out."""
        for price_id in dict.fromkeys(price_ids):
            if price_id not in self._item_by_price:
                price = await self.price(api, price_id)
                if price is not None:
                    self.note_listed((price,))
        return self._item_by_price
