"""Lines of a sales order. Each write concerns one line: a change of several is not atomic."""

from __future__ import annotations

from simulators.poweroffice import lookups, query
from simulators.poweroffice.errors import NotFound
from simulators.poweroffice.fields import Record
from simulators.poweroffice.http import Call, Reply, json_body, posted
from simulators.poweroffice.order_rules import (
    LINE_KIND,
    check_line,
    check_line_references,
    found_order,
    new_line,
    refuse_locked,
    shown_line,
    stored,
)
from simulators.poweroffice.patch import patched
from simulators.poweroffice.state import Go
from simulators.poweroffice.tables_sales import ORDER_LINE


def list_lines(go: Go, call: Call) -> Reply:
    order = found_order(call, go.orders.seen(call.uuid_id()))
    rows = [shown_line(go, one) for one in order["Lines"]]
    return query.listing(call, go.settings, ORDER_LINE, rows, (), "/SalesOrders/{id}/Lines")


def get_line(go: Go, call: Call) -> Reply:
    order = found_order(call, go.orders.seen(call.uuid_id()))
    return Reply(200, ORDER_LINE.dto(shown_line(go, _found(call, order["Lines"]))))


def create_line(go: Go, call: Call) -> Reply:
    order = found_order(call, go.orders.get(call.uuid_id()))
    values = posted(
        ORDER_LINE, json_body(call), refuse_unknown=go.settings.refuse_unknown_properties
    )
    refuse_locked(go, order)
    next_sort = max((one["SortOrder"] for one in order["Lines"]), default=-1) + 1
    line = new_line(go, values, order["Id"], next_sort)
    return Reply(201, _with_lines(go, order, [*order["Lines"], line], line["Id"]), changed=True)


def patch_line(go: Go, call: Call) -> Reply:
    order = found_order(call, go.orders.get(call.uuid_id()))
    before = _found(call, order["Lines"])
    change = patched(call, go.settings, ORDER_LINE, before)
    if change.values:
        refuse_locked(go, order)
    lookups.resolve(change.values, lookups.OF_LINE)
    line = before | change.values
    if line["SortOrder"] is None:
        line["SortOrder"] = before["SortOrder"]
    check_line(go, line)
    if not (change.values if go.settings.noop_patch_bumps else change.changed):
        return Reply(200, ORDER_LINE.dto(shown_line(go, before)))
    lines = [line if one["Id"] == line["Id"] else one for one in order["Lines"]]
    return Reply(200, _with_lines(go, order, lines, line["Id"]), changed=True)


def delete_line(go: Go, call: Call) -> Reply:
    order = found_order(call, go.orders.get(call.uuid_id()))
    gone = _found(call, order["Lines"])
    refuse_locked(go, order)
    _keep(go, order, [one for one in order["Lines"] if one["Id"] != gone["Id"]])
    return Reply(200, changed=True)


def _found(call: Call, lines: list[Record]) -> Record:
    line_id = call.uuid_id("lineId")
    for line in lines:
        if line["Id"] == line_id:
            return line
    raise NotFound(LINE_KIND, line_id)


def _with_lines(go: Go, order: Record, lines: list[Record], line_id: str) -> Record:
    """Keep the order with these lines and answer with the one written, its amounts computed."""
    check_line_references(lines)
    kept = _keep(go, order, lines)
    return ORDER_LINE.dto(
        shown_line(go, next(one for one in kept["Lines"] if one["Id"] == line_id))
    )


def _keep(go: Go, order: Record, lines: list[Record]) -> Record:
    bump = (
        {"LastChangedDateTimeOffset": go.clock.stamp()}
        if go.settings.line_change_bumps_order
        else {}
    )
    return stored(go, order | {"Lines": lines} | bump)
