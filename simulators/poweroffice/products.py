"""Products and product groups: codes, groups, sales accounts given by id or number, stock."""

from __future__ import annotations

from simulators.poweroffice import query
from simulators.poweroffice.errors import Conflict, GoError, Invalid, NotFound
from simulators.poweroffice.fields import Record, check_lengths
from simulators.poweroffice.http import Call, Reply, json_body, posted
from simulators.poweroffice.ledger_data import DEFAULT_PRODUCT_GROUP_CODE
from simulators.poweroffice.patch import patched
from simulators.poweroffice.query import Test
from simulators.poweroffice.state import Go
from simulators.poweroffice.table import Table
from simulators.poweroffice.tables_catalogue import PRODUCT, PRODUCT_GROUP

SALES_ACCOUNTS = ("StandardSalesAccount", "OptionalSalesAccount")


def shown_group(go: Go, record: Record) -> Record:
    return record | {name: _account_no(go, record[f"{name}Id"]) for name in SALES_ACCOUNTS}


def shown_product(go: Go, record: Record, reserved: float = 0.0) -> Record:
    """A product as read; `reserved` is the quantity on confirmed orders."""
    group = go.product_groups.get(record["ProductGroupId"] or 0)
    available = (record["StockOnHand"] or 0.0) - reserved if record["IsStockItem"] else None
    return shown_group(go, record) | {
        "ProductGroupCode": group["Code"] if group else None,
        "StockAvailable": available,
    }


def list_products(go: Go, call: Call) -> Reply:
    tests = [
        *_common_tests(call),
        *query.later_than(
            call,
            "stockOnHandLastChangedDatetimeOffsetGreaterThan",
            "StockOnHandLastChangedDatetimeOffset",
        ),
        *query.texts(call, "productGroupCodes", "ProductGroupCode"),
    ]
    rows = [shown_product(go, one, _reserved(go, one)) for one in go.products.seen_rows()]
    return query.listing(call, go.settings, PRODUCT, rows, tests, "/Products")


def list_groups(go: Go, call: Call) -> Reply:
    rows = [shown_group(go, one) for one in go.product_groups.seen_rows()]
    return query.listing(
        call, go.settings, PRODUCT_GROUP, rows, _common_tests(call), "/ProductGroups"
    )


def get_product(go: Go, call: Call) -> Reply:
    record = _found("Product", call, go.products.seen(call.int_id()))
    return Reply(200, PRODUCT.dto(shown_product(go, record, _reserved(go, record))))


def get_group(go: Go, call: Call) -> Reply:
    record = _found("Product group", call, go.product_groups.seen(call.int_id()))
    return Reply(200, PRODUCT_GROUP.dto(shown_group(go, record)))


def create_product(go: Go, call: Call) -> Reply:
    values = posted(PRODUCT, json_body(call), refuse_unknown=go.settings.refuse_unknown_properties)
    check_lengths(go.settings.text_lengths, values)
    _accounts_to_ids(go, "Product", values)
    record = PRODUCT.blank() | values
    code = record.pop("ProductGroupCode")
    if record["ProductGroupId"] is None:
        group = go.product_groups.find("Code", code or DEFAULT_PRODUCT_GROUP_CODE)
        if group is None and code is not None:
            raise Invalid("Product", f"Product group with code = '{code}' not found.")
        record["ProductGroupId"] = group["Id"] if group else None
    _check_product(go, record)
    add_product(go, record)
    return Reply(
        go.settings.product_post_status, PRODUCT.dto(shown_product(go, record)), changed=True
    )


def add_product(go: Go, record: Record) -> Record:
    """Give a checked record its id and times, and keep it."""
    record |= _new("product", go)
    if record["StockOnHand"] is not None:
        record["StockOnHandLastChangedDatetimeOffset"] = record["LastChangedDateTimeOffset"]
    go.products.put(record["Id"], record)
    return record


def create_group(go: Go, call: Call) -> Reply:
    values = posted(
        PRODUCT_GROUP, json_body(call), refuse_unknown=go.settings.refuse_unknown_properties
    )
    _accounts_to_ids(go, "Product group", values)
    record = PRODUCT_GROUP.blank() | values
    _check_code(go, "Product group", go.product_groups, record)
    record |= _new("product group", go)
    go.product_groups.put(record["Id"], record)
    return Reply(201, PRODUCT_GROUP.dto(shown_group(go, record)), changed=True)


def patch_product(go: Go, call: Call) -> Reply:
    before = _found("Product", call, go.products.get(call.int_id()))
    change = patched(call, go.settings, PRODUCT, before)
    check_lengths(go.settings.text_lengths, change.values)
    record = before | change.values
    _check_product(go, record)
    bumped = set(change.values) if go.settings.noop_patch_bumps else set(change.changed)
    if "StockOnHand" in bumped:
        record["StockOnHandLastChangedDatetimeOffset"] = go.clock.stamp()
    if bumped - {"StockOnHand"}:
        record["LastChangedDateTimeOffset"] = go.clock.stamp()
    if bumped:
        go.products.put(record["Id"], record)
    return Reply(
        200, PRODUCT.dto(shown_product(go, record, _reserved(go, record))), changed=bool(bumped)
    )


def patch_group(go: Go, call: Call) -> Reply:
    before = _found("Product group", call, go.product_groups.get(call.int_id()))
    change = patched(call, go.settings, PRODUCT_GROUP, before)
    record = before | change.values
    _check_code(go, "Product group", go.product_groups, record)
    _check_account_ids(go, "Product group", record)
    bumps = bool(change.values if go.settings.noop_patch_bumps else change.changed)
    if bumps:
        record["LastChangedDateTimeOffset"] = go.clock.stamp()
        go.product_groups.put(record["Id"], record)
    return Reply(200, PRODUCT_GROUP.dto(shown_group(go, record)), changed=bumps)


def delete_product(go: Go, call: Call) -> Reply:
    key = _found("Product", call, go.products.get(call.int_id()))["Id"]
    documents = (*go.orders.rows(), *go.invoices.rows())
    if any(line["ProductId"] == key for one in documents for line in one["Lines"]):
        raise Conflict(
            "Object conflict", f"Product with id = {key} is in use and cannot be deleted."
        )
    go.products.remove(key)
    return Reply(200, changed=True)


def delete_group(go: Go, call: Call) -> Reply:
    key = _found("Product group", call, go.product_groups.get(call.int_id()))["Id"]
    if any(one["ProductGroupId"] == key for one in go.products.rows()):
        raise Conflict(
            "Object conflict", f"Product group with id = {key} is in use and cannot be deleted."
        )
    go.product_groups.remove(key)
    return Reply(200, changed=True)


def _common_tests(call: Call) -> list[Test]:
    tests = [
        *query.later_than(
            call, "lastChangedDateTimeOffsetGreaterThan", "LastChangedDateTimeOffset"
        ),
        *query.later_than(call, "createdDateTimeOffsetGreaterThan", "CreatedDateTimeOffset"),
        *query.texts(call, "codes", "Code"),
        *query.texts(call, "names", "Name"),
    ]
    is_archived = query.flag(call, "isArchived")
    kind = query.enum(call, "type", "ProductType")
    if is_archived is not None:
        tests.append(lambda record: bool(record["IsArchived"]) is is_archived)
    if kind is not None:
        tests.append(lambda record: record["ProductType"] == kind)
    return tests


def _reserved(go: Go, product: Record) -> float:
    """Confirmed orders reserve stock."""
    if not product["IsStockItem"]:
        return 0.0
    confirmed = (one for one in go.orders.rows() if one["SalesOrderStatus"] == "Confirmed")
    lines = (
        line for one in confirmed for line in one["Lines"] if line["ProductId"] == product["Id"]
    )
    return sum((line["Quantity"] or 0.0) for line in lines)


def _found(kind: str, call: Call, record: Record | None) -> Record:
    if record is None:
        raise NotFound(kind, call.int_id())
    return record


def _new(kind: str, go: Go) -> Record:
    now = go.clock.stamp()
    return {
        "Id": go.next_number(kind),
        "CreatedDateTimeOffset": now,
        "LastChangedDateTimeOffset": now,
    }


def _account_no(go: Go, account_id: int | None) -> int | None:
    record = go.accounts.get(account_id) if account_id is not None else None
    return record["AccountNo"] if record else None


def _accounts_to_ids(go: Go, kind: str, values: Record) -> None:
    for name in SALES_ACCOUNTS:
        number = values.pop(name, None)
        if values.get(f"{name}Id") is None and number is not None:
            record = go.accounts.find("AccountNo", number)
            if record is None:
                raise Invalid(kind, f"{name} {number} not found.")
            values[f"{name}Id"] = record["Id"]
    _check_account_ids(go, kind, values)


def _check_account_ids(go: Go, kind: str, record: Record) -> None:
    for name in SALES_ACCOUNTS:
        account_id = record.get(f"{name}Id")
        if account_id is not None and account_id not in go.accounts:
            raise Invalid(kind, f"{name} with id = {account_id} not found.")


def _check_product(go: Go, record: Record) -> None:
    if not (record["Name"] or "").strip():
        raise Invalid("Product", "Name is required.")
    if not go.settings.allow_duplicate_product_code:
        _check_code(go, "Product", go.products, record)
    if record["ProductGroupId"] is not None and record["ProductGroupId"] not in go.product_groups:
        raise GoError(
            400,
            "Object(s) not found",
            f"Product group with id = {record['ProductGroupId']} not found.",
        )
    if record["StockOnHand"] is not None and not record["IsStockItem"]:
        raise Invalid("Product", "StockOnHand can be set only when IsStockItem is true.")
    _check_account_ids(go, "Product", record)


def _check_code(go: Go, kind: str, table: Table[int], record: Record) -> None:
    other = table.find("Code", record["Code"])
    if other is not None and other["Id"] != record["Id"]:
        raise Invalid(
            kind, f"Code is already in use. '{record['Code']}' is used on Id = {other['Id']}."
        )
