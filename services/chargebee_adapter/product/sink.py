"""Commands for products: an item and its price in the ledger currency, two writes without a
transaction."""

import asyncio
from typing import Any, Literal, NoReturn

from msgspec.structs import replace

from contracts.entities import Price
from contracts.messages import Command, Problem
from runtime.problems import Fitting, fit
from runtime.vendor import NotFound, Refused
from services.chargebee_adapter import models
from services.chargebee_adapter.addresses import unaddressable
from services.chargebee_adapter.client import ChargebeeClient, Raw, path
from services.chargebee_adapter.guard import (
    ASLEEP_S,
    Clock,
    Plan,
    fresh,
    plan,
    present,
    required,
    restamp,
    typed,
)
from services.chargebee_adapter.mapping import OWN_PREFIX, Reading, id_of, version_of
from services.chargebee_adapter.outcomes import Written
from services.chargebee_adapter.product import twins, writes
from services.chargebee_adapter.product.canonical import ledger_price
from services.chargebee_adapter.product.catalogue import Catalogue, Whole
from services.chargebee_adapter.refusals import is_duplicate

Half = Literal["item", "item_price"]


class Products:
    """Writes items and item prices of one site. `family` is the item family of products born in Go,
    `clock` is monotonic."""

    def __init__(self, catalogue: Catalogue, family: str, clock: Clock) -> None:
        self._catalogue, self._family, self._clock = catalogue, family, clock
        self._family_is_there = False
        self._family_lock = asyncio.Lock()

    async def create(self, api: ChargebeeClient, command: Command) -> Written:
        """Create item `go-<Go Id>` and price `go-<Go Id>-<CUR>`; whichever half is missing is made,
        neither beside a twin."""
        own_id, fields = required(command, "stamp"), typed(command, command.fields)
        fitting = self._fitting(fields, None, can_price=True)
        whole = await self._catalogue.whole(api, own_id) if command.look_first else None
        item_made = False
        if whole is None:
            params = writes.item_creation(
                own_id, self._family, fitting, shippable=fields.get("shippable")
            )
            await self._ensure_family(api)
            async with api.reserved(3 if command.look_for_twins else 1):
                if command.look_for_twins:
                    pricing = self._catalogue.pricing
                    found, _ = await fresh(
                        lambda: twins.of_product(api, fields, pricing), self._clock
                    )
                    if found:
                        return Written("stale", None, twins=found)
                whole, item_made = await self._item(api, own_id, params, fields.get("code"))
        before = self._catalogue.reading(whole)
        price_made = False
        if not item_made:
            present(before)
        if "price" in fitting.held:
            whole, price_made = await self._price(
                api, whole, fields.get("code"), fitting.held["price"]
            )
        # A half that stood there may have been edited since: then the whole is met for the first
        # time.
        untouched = item_made or (
            price_made and not plan(present(before), _item_part(fitting.held), {}).to_write
        )
        result: Literal["applied", "adopted"] = "applied" if untouched else "adopted"
        return Written(result, self._seen(whole), skipped=fitting.faults if untouched else {})

    async def update(self, api: ChargebeeClient, command: Command) -> Written:
        """Write what differs to the item, to its one ledger price, or to both. Where only one of
        them is written and the product is known, only that one is read before it."""
        item_id, fields = required(command, "target_id"), typed(command, command.fields)
        is_both = "price" in fields and len(fields) > 1
        if not is_both and (known := self._catalogue.remembered(item_id)) is not None:
            half: Half = "item_price" if "price" in fields else "item"
            if (written := await self._update_half(api, command, known, half)) is not None:
                return written
        is_price = "price" in fields

        async def read() -> Whole:
            whole = await self._read(api, item_id)
            return await self._with_fresh_price(api, whole) if is_price else whole

        async with api.reserved(3 + is_both + is_price):
            whole, asked_at = await fresh(read, self._clock)
            steps, skipped = self._plan(command, whole)
            again, done = self._written_again(command, whole, steps), steps.done
            if steps.is_stale:
                return Written("stale", self._seen(whole), done, again=again)
            if params := self._item_params(whole, steps):
                whole = Whole(await api.post("item", path("items", item_id), params), whole.prices)
                self._catalogue.remember(whole)  # its event may come before the price is written
                if "price" in steps.to_write and self._clock() - asked_at > ASLEEP_S:
                    whole, _ = await fresh(read, self._clock)
                    steps, skipped = self._plan(command, whole)
                    if steps.is_stale:
                        return Written("stale", self._seen(whole), steps.done)
            if "price" in steps.to_write:
                whole = await self._reprice(api, whole, steps.to_write["price"])
        return Written("applied", self._seen(whole), done, skipped, again=again)

    async def _update_half(
        self, api: ChargebeeClient, command: Command, known: Whole, half: Half
    ) -> Written | None:
        """One read and one write; None where the product is not what it was known as, and nothing
        was written."""
        async with api.reserved(2):
            whole, _ = await fresh(lambda: self._half_read(api, known, half), self._clock)
            if whole is None:
                return None
            steps, skipped = self._plan(command, whole)
            again = self._written_again(command, whole, steps)
            if steps.is_stale:
                reading = self._seen_half(whole, half)
                return Written("stale", reading, steps.done, again=again)
            if "price" in steps.to_write:
                whole = await self._reprice(api, whole, steps.to_write["price"])
            elif params := self._item_params(whole, steps):
                raw = await api.post("item", path("items", id_of(whole.item)), params)
                whole = Whole(raw, whole.prices)
        reading = self._seen_half(whole, half)
        return Written("applied", reading, steps.done, skipped, again=again)

    def _written_again(self, command: Command, whole: Whole, steps: Plan) -> bool:
        """Whether this repeats an attempt that nobody saw answered, on a half that has moved since
        it was planned and does not show all of it: somebody may have taken it back."""
        price = self._ledger_price(whole)
        is_price = "price" in steps.to_write
        halves = [whole.item] if len(steps.to_write) > is_price else []
        halves += [whole.part("item_price", price.id)] if is_price and price is not None else []
        planned = (command.target_version or "").partition(".")[0]
        return command.look_first and any(version_of(half) > planned for half in halves)

    async def _half_read(self, api: ChargebeeClient, known: Whole, half: Half) -> Whole | None:
        """A known product with its item, or its one ledger price, as that stands now; None where
        there is no such thing."""
        if half == "item":
            item = await api.find("item", "items", id_of(known.item))
            return None if item is None else Whole(item, known.prices)
        price = self._ledger_price(known)
        raw = None if price is None else await self._catalogue.price(api, price.id)
        if price is None or raw is None:
            return None
        self._catalogue.note_fresh(raw)
        whole = known.with_price(raw)
        still = self._ledger_price(whole)
        return whole if still is not None and still.id == price.id else None

    @staticmethod
    def _item_params(whole: Whole, steps: Plan) -> dict[str, Any]:
        return writes.item_update(models.Item.model_validate(whole.item), steps.to_write)

    async def stamp(self, api: ChargebeeClient, command: Command) -> Written:
        """Write Go's id into the item's metadata where it is free; without a stamp take it away."""
        item_id = required(command, "target_id")
        known = self._catalogue.remembered(item_id)

        async def read() -> Whole:
            whole = await (
                self._read(api, item_id) if known is None else self._half_read(api, known, "item")
            )
            return whole if whole is not None else _gone(item_id)

        async with api.reserved(3 if known is None else 2):
            whole, _ = await fresh(read, self._clock)
            if params := restamp(
                whole.item, "metadata", self._catalogue.reading(whole), command.stamp
            ):
                whole = Whole(await api.post("item", path("items", item_id), params), whole.prices)
        return Written("applied", self._seen_half(whole, "item"))

    async def verify(self, api: ChargebeeClient, command: Command) -> Written:
        """Read the item and its prices."""
        return Written(
            "applied",
            self._catalogue.reading(await self._read(api, required(command, "target_id"))),
        )

    async def _read(self, api: ChargebeeClient, item_id: str) -> Whole:
        whole = await self._catalogue.whole(api, item_id)
        return whole if whole is not None else _gone(item_id)

    async def _with_fresh_price(self, api: ChargebeeClient, whole: Whole) -> Whole:
        """A product with its one ledger price as it stands now: lists lag, and it guards a
        write."""
        price = self._ledger_price(whole)
        raw = None if price is None else await self._catalogue.price(api, price.id)
        if raw is None:
            return whole
        self._catalogue.note_fresh(raw)
        return whole.with_price(raw)

    def _seen(self, whole: Whole) -> Reading:
        """The reading of what has just been read or written, which is remembered."""
        self._catalogue.remember(whole)
        return self._catalogue.reading(whole)

    def _seen_half(self, whole: Whole, half: Half) -> Reading:
        """The same where only this half has been read or written: the other is the newest there is
        by now, for whoever takes this version takes what it stands for."""
        newest = whole.newest(self._catalogue.remembered(id_of(whole.item)) or whole)
        if half == "item":
            return self._seen(Whole(whole.item, newest.prices))
        price = self._ledger_price(whole)
        return self._seen(
            newest if price is None else newest.with_price(whole.part(half, price.id))
        )

    def _fitting(
        self, fields: dict[str, Any], price: models.ItemPrice | None, *, can_price: bool
    ) -> Fitting:
        return writes.fitting(fields, self._catalogue.pricing, price, can_price=can_price)

    def _plan(self, command: Command, whole: Whole) -> tuple[Plan, dict[str, Problem]]:
        """What is to be written to this product, and what Chargebee cannot take."""
        current, price = present(self._catalogue.reading(whole)), self._ledger_price(whole)
        is_own = id_of(whole.item).startswith(OWN_PREFIX)
        can_price = price is not None or (
            is_own and not any(self._is_in_ledger(each) for each in whole.prices)
        )
        fitting = self._fitting(typed(command, command.fields), price, can_price=can_price)
        if price is not None and "price" in fitting.held:
            fault = unaddressable("item_prices", price.id)
            fitting = (
                fitting if fault is None else fit(fitting.held, (replace(fault, field="price"),))
            )
        return plan(current, fitting.held, typed(command, command.expected)), fitting.faults

    def _is_in_ledger(self, price: Raw) -> bool:
        currency = self._catalogue.pricing.ledger_currency
        return price.get("currency_code") == currency and price.get("status") != "deleted"

    def _ledger_price(self, whole: Whole) -> models.ItemPrice | None:
        prices = (models.ItemPrice.model_validate(raw) for raw in whole.prices)
        return ledger_price(prices, self._catalogue.pricing)

    async def _item(
        self, api: ChargebeeClient, own_id: str, params: dict[str, Any], code: str | None
    ) -> tuple[Whole, bool]:
        """The item, and whether it was made now; a taken name is tried again as `name (code)`."""
        try:
            whole = Whole(await self._post_unique(api, "item", "/items", params, code), ())
            self._catalogue.remember(whole)
            return whole, True
        except Refused as error:
            if not is_duplicate(error, "id"):
                raise
        return await self._read(api, own_id), False

    async def _price(
        self, api: ChargebeeClient, whole: Whole, code: str | None, price: Price
    ) -> tuple[Whole, bool]:
        """The product with its own ledger price, and whether that was made now."""
        own_id = f"{id_of(whole.item)}-{price.currency}"
        if any(id_of(each) == own_id and each.get("status") != "deleted" for each in whole.prices):
            return whole, False
        params = writes.price_creation(
            own_id,
            id_of(whole.item),
            str(whole.item.get("name")),
            code,
            price.amount,
            self._catalogue.pricing,
        )
        try:
            raw, made = (
                await self._post_unique(api, "item_price", "/item_prices", params, code),
                True,
            )
        except Refused as error:
            found = (
                await api.find("item_price", "item_prices", own_id)
                if is_duplicate(error, "id")
                else None
            )
            if found is None:
                raise
            raw, made = found, False
        self._catalogue.note_fresh(raw)
        return whole.with_price(raw), made

    async def _post_unique(
        self,
        api: ChargebeeClient,
        kind: str,
        resource_path: str,
        params: dict[str, Any],
        code: str | None,
    ) -> Raw:
        try:
            return await api.post(kind, resource_path, params)
        except Refused as error:
            if code is None or not is_duplicate(error, "name"):
                raise
        unique = {**params, "name": writes.with_code(str(params["name"]), code)}
        return await api.post(kind, resource_path, unique)

    async def _reprice(self, api: ChargebeeClient, whole: Whole, wanted: Price) -> Whole:
        price = self._ledger_price(whole)
        if price is None:
            code = getattr(self._catalogue.reading(whole).entity, "code", None)
            return (await self._price(api, whole, code, wanted))[0]
        params = writes.amount_params(wanted.amount, self._catalogue.pricing, price)
        raw = await api.post("item_price", path("item_prices", price.id), params)
        self._catalogue.note_fresh(raw)
        return whole.with_price(raw)

    async def _ensure_family(self, api: ChargebeeClient) -> None:
        async with self._family_lock:
            if self._family_is_there:
                return
            held = await api.find("item_family", "item_families", self._family)
            if held is None or held.get("status") == "deleted":  # then its id is free again
                try:
                    await api.post(
                        "item_family", "/item_families", {"id": self._family, "name": self._family}
                    )
                except Refused as error:
                    if not is_duplicate(error, "id"):
                        raise
            self._family_is_there = True


def _gone(item_id: str) -> NoReturn:
    words = f"item {item_id} is not in Chargebee any more"
    raise NotFound("resource_not_found", words, status=404)


def _item_part(held: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in held.items() if name in writes.ITEM_FIELDS}
