"""Commands for orders: header, lines and the notice of a draft, and its removal."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from contracts.entities import Entity, EntityName, Line, Order
from contracts.messages import Command, Outcome
from contracts.said import say
from contracts.values import text
from runtime.problems import Fitting, Unwritable, fit
from runtime.vendor import NotFound, Refused, Retriable
from services.poweroffice_adapter.client import Forbidden
from services.poweroffice_adapter.guard import differing, present, typed, without
from services.poweroffice_adapter.mapping import MAPPING, Held, Path, value_at
from services.poweroffice_adapter.observations import facts_of
from services.poweroffice_adapter.order import canonical, draft_rules, writes
from services.poweroffice_adapter.order.lines import (
    LineChange,
    changes,
    first_position,
    lines_of,
    notice_id,
    rewritten,
    room_before,
    without_line,
)
from services.poweroffice_adapter.order.reader import OrderReader, Whole
from services.poweroffice_adapter.order.references import References
from services.poweroffice_adapter.product.sink import products_with_code
from services.poweroffice_adapter.records import Means, record_of
from services.poweroffice_adapter.writer import MAX_READS, Writer, target_of, too_slow


class Orders(Writer):
    """Sales orders; header and lines can be changed while it is a draft."""

    entity: ClassVar[EntityName] = "order"
    stampable: ClassVar = True
    optional: ClassVar = frozenset({"delivery_date", "purchase_order"})

    def __init__(self, means: Means, currencies: dict[str, str]) -> None:
        super().__init__(means)
        self._reader = OrderReader(means.tenant, means.client, means.observations, currencies)
        self._references = References(means.client, means.tenant)
        self._own_products: dict[str, str] = {}

    async def get(self, id: str, priority: int) -> Held:
        if (whole := await self._reader.order(id, priority)) is None:
            try:
                whole = await self._reader.invoice(id, priority)
            except Forbidden as error:
                raise NotFound(
                    "not_found", f"sales order {id} has left, sent or deleted: {error}"
                ) from error
        if whole is None:
            raise NotFound(
                "not_found", f"sales order {id} does not exist in PowerOffice Go", status=404
            )
        return Held(whole.raw, whole.reading)

    async def patch(
        self, held: Held, operations: Sequence[Mapping[str, Any]], priority: int
    ) -> Held:
        """The answer is a header; its lines are those just read, unless what it says of them shows
        that somebody has changed one since."""
        path = f"/SalesOrders/{held.reading.id}"
        header = await self._client.patch(path, operations, priority=priority)
        if value_at(header, ("Id",)) is None:
            raise Retriable("PowerOffice Go answered without the order", maybe_applied=True)
        lines = value_at(held.raw, ("SalesOrderLines",))
        if facts_of(header).of_lines != facts_of(held.raw).of_lines:
            return await self.get(held.reading.id, priority)
        return self._held(
            await self._reader.whole({**header, "SalesOrderLines": lines}, 0, priority)
        )

    async def delete(self, id: str, priority: int) -> None:
        """Remove an order with its lines. Raises NotFound; Go refuses what is not a draft."""
        await self._client.delete(f"/SalesOrders/{id}", priority=priority)

    async def line_bodies(self, wanted: Sequence[Line], priority: int) -> list[dict[str, Any]]:
        """The lines as Go would be sent them; may ask for the products of lines without one. Raises
        Unwritable."""
        draft_rules.check({"lines": wanted})
        return writes.new_lines(wanted, *await self._products({"lines": wanted}, priority))

    async def change_line(self, id: str, change: LineChange, priority: int) -> None:
        """Carry out one change of a line; one that is done already is none."""
        path = f"/SalesOrders/{id}/Lines"
        if change.line_id is None:
            await self._client.post(path, change.values, priority=priority)
        elif not change.values:
            await self._client.delete(f"{path}/{change.line_id}", priority=priority)
        else:
            operations = [
                {"op": "replace", "path": f"/{name}", "value": v}
                for name, v in change.values.items()
            ]
            await self._client.patch(f"{path}/{change.line_id}", operations, priority=priority)

    def _held(self, whole: Whole) -> Held:
        return Held(whole.raw, whole.reading)

    async def find(self, command: Command, fields: Mapping[str, Any], priority: int) -> Held | None:
        if not command.stamp:
            return None
        id = await self._references.find(command.stamp, priority)
        if id is None:
            return None
        try:
            held = await self.get(id, priority)
        except NotFound:
            held = None
        if held is not None and held.reading.stamp == command.stamp:
            return held
        self._references.forget(command.stamp)
        return None

    async def alike(
        self, command: Command, fields: Mapping[str, Any], since: str, priority: int
    ) -> list[Held]:
        """None: orders have no mark but their stamp."""
        return []

    async def body(
        self, command: Command, fields: Mapping[str, Any], priority: int
    ) -> dict[str, Any]:
        fallback, round_off = await self._products(fields, priority)
        return writes.creation(
            fields,
            command.stamp,
            invoiced_elsewhere=self._tenant.invoicing.by == "chargebee",
            fallback_product_id=fallback,
            round_off_product_id=round_off,
        )

    async def _products(
        self, fields: Mapping[str, Any], priority: int
    ) -> tuple[str | None, str | None]:
        """Ids of the products for lines without one and for the round-off, where they are needed
        and set."""
        order = self._tenant.order
        fallback = order.fallback_product if writes.needs_fallback(fields) else None
        round_off = order.round_off_product if writes.needs_round_off(fields) else None
        return (
            await self._own_product("order.fallback_product", fallback, priority),
            await self._own_product("order.round_off_product", round_off, priority),
        )

    async def _own_product(self, setting: str, code: str | None, priority: int) -> str | None:
        """Id of the product that a setting names; asked for once."""
        if code is None or code in self._own_products:
            return self._own_products.get(code or "")
        exact = await products_with_code(self._client, code, priority)
        if len(exact) != 1:
            said = say("setting_needs_one", count=len(exact), value=code, name=setting)
            raise Unwritable.of("missing", said, field="lines")
        self._own_products[code] = str(value_at(exact[0], ("Id",)))
        return self._own_products[code]

    async def post(self, body: Mapping[str, Any], priority: int) -> Held:
        raw = await self._client.post("/SalesOrders/Complete", body, priority=priority)
        id = value_at(raw, ("Id",))
        if id is None:
            raise Retriable("PowerOffice Go answered without the order", maybe_applied=True)
        if value_at(raw, ("SalesOrderLines",)) is None:
            return await self.get(str(id), priority)
        return self._held(await self._reader.whole(raw, 0, priority))

    def fitting(self, fields: Mapping[str, Any], present: Entity | None) -> Fitting:
        confirmed = {"status": "confirmed"} if fields.get("status") == "confirmed" else {}
        notice = {"notice": text(fields["notice"])} if "notice" in fields else {}
        return fit(writes.wanted_header(fields) | notice | confirmed, ())

    def properties(self, changes: Mapping[str, Any], held: Held, *, ours: bool) -> dict[Path, Any]:
        """The header's; the notice is a line."""
        assert isinstance(held.reading.content, Order)
        if held.reading.content.status == "confirmed":
            raise Unwritable.of("locked", say("order_locked"), field=next(iter(changes)))
        header = {
            name: value for name, value in changes.items() if name not in ("status", "notice")
        }
        confirmed: dict[Path, Any] = (
            {("SalesOrderStatus",): "Confirmed"} if "status" in changes else {}
        )
        return writes.properties(header) | confirmed

    # -- what takes calls of its own

    def is_closed(self, present: Entity) -> bool:
        return isinstance(present, Order) and present.status == "sent"

    def is_apart(self, changes: Mapping[str, Any]) -> bool:
        """The notice is a line."""
        return "notice" in changes

    async def write_apart(
        self, command: Command, held: Held, wanted: Mapping[str, Any], priority: int
    ) -> Held:
        """Change, add or remove the line that says who has been asked to pay."""
        self._observations.begin_write(command.entity, held.reading.id)
        try:
            return await self.change_notice(held, wanted["notice"], priority)
        finally:
            self._observations.end_write(command.entity, held.reading.id)

    async def change_notice(self, held: Held, words: str | None, priority: int) -> Held:
        """Make the line that says who has been asked to pay hold these words; None takes it away.
        Other lines are moved down where it would not come first otherwise. The answer is the order
        as read with the lines as returned."""
        rows = lines_of(held.raw)
        path, line_id = f"/SalesOrders/{held.reading.id}/Lines", notice_id(rows, held.reading.stamp)
        if line_id is not None and words is None:
            await self._client.delete(f"{path}/{line_id}", priority=priority)
            rows = without_line(rows, line_id)
        elif line_id is not None:
            operations = rewritten(rows, line_id, words, self.means.tests)
            row = record_of(
                await self._client.patch(f"{path}/{line_id}", operations, priority=priority)
            )
            rows = [*without_line(rows, line_id), row]
        elif words is not None:
            for other_id, position in room_before(rows):
                move = [{"op": "replace", "path": "/SortOrder", "value": position}]
                row = record_of(
                    await self._client.patch(f"{path}/{other_id}", move, priority=priority)
                )
                rows = [*without_line(rows, other_id), row]
            line = writes.text_line(words, canonical.NOTICE_REFERENCE)
            body = {**line, "SortOrder": first_position(rows)}
            rows = [*rows, record_of(await self._client.post(path, body, priority=priority))]
        return self._held(
            await self._reader.whole({**held.raw, "SalesOrderLines": rows}, 0, priority)
        )

    def line_changes(self, held: Held, bodies: Sequence[Mapping[str, Any]]) -> list[LineChange]:
        """What makes the lines of an order those wanted."""
        return changes(lines_of(held.raw), bodies)

    # -- the commands

    async def update(self, command: Command, fields: Mapping[str, Any], priority: int) -> Outcome:
        """As ever; the lines of a draft are made those of the command where it holds any."""
        if "lines" in fields:
            return await self._restore_lines(command, fields, priority)
        return await super().update(command, fields, priority)

    async def _restore_lines(
        self, command: Command, fields: Mapping[str, Any], priority: int
    ) -> Outcome:
        """Make the lines of a draft those of the command, call by call: Go has no way to replace
        them at once. What the command holds of the header goes first.

        A crash in between leaves another draft than expected, so the next attempt is stale and
        planned anew from it; so does a refusal because somebody changed or confirmed the order
        meanwhile.
        """
        id, expected = target_of(command), typed(command, command.expected)
        bodies = await self.line_bodies(fields["lines"], priority)
        refused: Refused | None = None
        written = False
        for _ in range(MAX_READS):
            number = self._observations.start()
            held = await self.read(command, priority)
            read_at_s, seen = self.means.seconds(), present(held.reading)
            if command.mapping < MAPPING:
                return self._outcome(command, "stale", held.reading, number)
            wanted = self.fitting(without(fields, ("lines", "status")), seen).held
            header, changes = differing(seen, wanted), self.line_changes(held, bodies)
            if not changes and not header:
                return self._outcome(command, "applied", held.reading, number, wrote=False)
            if differing(seen, expected) or getattr(seen, "status", None) != "draft":
                return self._outcome(command, "stale", held.reading, number, wrote=written)
            if refused is not None:
                raise refused
            if self._paused(read_at_s):
                continue
            properties = self.properties(header, held, ours=command.ours) if header else {}
            self._observations.begin_write(command.entity, id)
            try:
                if properties:
                    await self.patch(held, self._operations(held, properties), priority)
                    written = True
                if "notice" in header:
                    await self.change_notice(held, header["notice"], priority)
                    written = True
                for change in changes:
                    await self.change_line(id, change, priority)
                    written = True
                return self._ended(command, await self.get(id, priority))
            except BaseException as error:
                self._observations.end_write(command.entity, id)
                if not isinstance(error, Refused) or error.status not in (400, 404, 409):
                    raise
                refused = error
        raise refused or too_slow(command)

    async def remove(self, command: Command, priority: int) -> Outcome:
        """Remove a draft that still is what the command expects; a sent or Confirmed order
        never."""
        expected = typed(command, command.expected)
        try:
            for _ in range(MAX_READS):
                number = self._observations.start()
                held = await self.read(command, priority)
                read_at_s, seen = self.means.seconds(), present(held.reading)
                is_other = differing(seen, expected) or expected.get("status") != "draft"
                if command.mapping < MAPPING or is_other:
                    return self._outcome(command, "stale", held.reading, number)
                if not self._paused(read_at_s):
                    return await self._removed(command, priority)
        except NotFound as error:
            if error.status != 404:
                # Sent or deleted, and which cannot be read.
                raise Refused(error.code, error.message) from None
            return self._gone(command, wrote=False)
        raise too_slow(command)

    async def _removed(self, command: Command, priority: int) -> Outcome:
        id = target_of(command)
        self._observations.begin_write(command.entity, id)
        try:
            await self.delete(id, priority)
        finally:
            self._observations.end_write(command.entity, id)
        return self._gone(command, wrote=True)
