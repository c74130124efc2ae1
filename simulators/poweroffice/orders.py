"""Sales orders: created whole, changed by header, locked once confirmed."""

from __future__ import annotations

from uuid import uuid4

from simulators.poweroffice import lookups, query
from simulators.poweroffice.errors import BindingError, Conflict, NotFound
from simulators.poweroffice.fields import Record, check_lengths
from simulators.poweroffice.http import Call, Reply, json_body, posted
from simulators.poweroffice.order_rules import (
    check_credit,
    check_header,
    check_line_references,
    complete_dto,
    found_order,
    is_being_sent,
    new_line,
    refuse_locked,
    shown_order,
    stored,
)
from simulators.poweroffice.patch import patched
from simulators.poweroffice.query import Test
from simulators.poweroffice.sales import computed_order
from simulators.poweroffice.state import Go
from simulators.poweroffice.tables_sales import ORDER, ORDER_LINE


def list_orders(go: Go, call: Call) -> Reply:
    status = query.enum(call, "orderStatus", "OrderStatus")
    show_inherited = bool(query.flag(call, "showInherited"))
    only_own = bool(query.flag(call, "onlyCreatedByCurrentIntegration"))
    tests: list[Test] = [
        *query.later_than(
            call, "lastChangedDateTimeOffsetGreaterThan", "LastChangedDateTimeOffset"
        ),
        *query.numbers(call, "customerNos", "CustomerNo"),
        *_dimension(call, "departmentCodes", "Department"),
        *_dimension(call, "projectCodes", "Project"),
    ]
    if status is not None:
        tests.append(lambda record: record["SalesOrderStatus"] == status)
    if only_own:
        tests.append(lambda record: bool(record["IsCreatedByCurrentIntegration"]))
    rows = [
        shown_order(go, call, one, show_inherited=show_inherited) for one in go.orders.seen_rows()
    ]
    return query.listing(call, go.settings, ORDER, rows, tests, "/SalesOrders")


def _dimension(call: Call, parameter: str, name: str) -> list[Test]:
    """Codes of a dimension; -1 finds the orders without one."""
    wanted = query.text(call, parameter)
    if wanted is None:
        return []
    codes = {part.strip() for part in wanted.split(",")}
    return [
        lambda record: (
            record[f"{name}Code"] in codes
            or ("-1" in codes and record[f"{name}Id"] in (None, lookups.EXPLICITLY_NONE))
        )
    ]


def get_order(go: Go, call: Call) -> Reply:
    show_inherited = bool(query.flag(call, "showInherited"))
    order = found_order(call, go.orders.seen(call.uuid_id()))
    return Reply(200, ORDER.dto(shown_order(go, call, order, show_inherited=show_inherited)))


def get_complete(go: Go, call: Call) -> Reply:
    show_inherited = bool(query.flag(call, "showInherited"))
    order = found_order(call, go.orders.seen(call.uuid_id()))
    return Reply(200, complete_dto(go, call, order, show_inherited=show_inherited))


def create_complete(go: Go, call: Call) -> Reply:
    strict = go.settings.refuse_unknown_properties
    values = posted(ORDER, json_body(call), refuse_unknown=strict)
    check_lengths(go.settings.text_lengths, values)
    line_bodies = values.pop("SalesOrderLines", None) or []
    if not isinstance(line_bodies, list):
        raise BindingError({"$.SalesOrderLines": ["A JSON array is expected."]})
    lines = [
        posted(ORDER_LINE, body, refuse_unknown=strict, at=f"$.SalesOrderLines[{index}]")
        for index, body in enumerate(line_bodies)
    ]
    order = add_order(go, values, lines, call.client.application_key)
    return Reply(201, complete_dto(go, call, order), changed=True)


def add_order(go: Go, values: Record, line_values: list[Record], application_key: str) -> Record:
    """Make and keep an order from posted header and lines; `application_key` is its creator's."""
    lookups.resolve(values, lookups.OF_ORDER)
    customer_no = values.pop("CustomerNo", None)
    order = ORDER.blank() | values | {"Id": str(uuid4()), "ApplicationKey": application_key}
    del order["SalesOrderLines"]
    if order["CustomerId"] is None and customer_no is not None:
        customer = go.customers.find("Number", customer_no)
        if customer is None:
            raise NotFound("Customer", customer_no, "number")
        order["CustomerId"] = customer["Id"]
    check_header(go, order, {"CustomerId", *values})
    order["Lines"] = [
        new_line(go, one, order["Id"], next_sort) for next_sort, one in enumerate(line_values)
    ]
    check_line_references(order["Lines"])
    check_credit(computed_order(go, order))
    now = go.clock.stamp()
    order |= {"CreatedDateTimeOffset": now, "LastChangedDateTimeOffset": now}
    return stored(go, _numbered(go, order))


def _numbered(go: Go, order: Record) -> Record:
    due = go.settings.order_number_at_creation or order["SalesOrderStatus"] == "Confirmed"
    if order["SalesOrderNo"] is None and due:
        return order | {"SalesOrderNo": go.next_number("sales order number")}
    return order


def patch_order(go: Go, call: Call) -> Reply:
    before = found_order(call, go.orders.get(call.uuid_id()))
    change = patched(call, go.settings, ORDER, before)
    check_lengths(go.settings.text_lengths, change.values)
    only_reopens = change.changed <= {"SalesOrderStatus"}
    if is_being_sent(go, before["Id"]) or not only_reopens:
        refuse_locked(go, before)
    lookups.resolve(change.values, lookups.OF_ORDER)
    order = before | change.values
    check_header(go, order, set(change.changed))
    if "RelatedInvoiceNo" in change.changed:
        check_credit(order)
    bumps = bool(change.values if go.settings.noop_patch_bumps else change.changed)
    if bumps:
        order = stored(go, _numbered(go, order | {"LastChangedDateTimeOffset": go.clock.stamp()}))
    return Reply(200, ORDER.dto(shown_order(go, call, order)), changed=bumps)


def delete_order(go: Go, call: Call) -> Reply:
    order = found_order(call, go.orders.get(call.uuid_id()))
    if order["SalesOrderStatus"] == "Confirmed" or is_being_sent(go, order["Id"]):
        raise Conflict(
            "Object conflict",
            f"Sales order with id = {order['Id']} is not a draft and cannot be deleted.",
        )
    go.orders.remove(order["Id"])
    go.sendings.pop(order["Id"], None)
    return Reply(200, changed=True)
