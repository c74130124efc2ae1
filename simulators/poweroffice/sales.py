"""What a line costs: effective price, discount, sales account, VAT, and the sums of an order.

The API computes a line only when product (with an account), quantity and price are present. Its
rounding is not documented; here line amounts have two decimals, halves away from zero, and headers
are sums of lines.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from simulators.poweroffice.fields import Record
from simulators.poweroffice.ledger_data import OPTIONAL_SALES_ACCOUNT_NO, STANDARD_SALES_ACCOUNT_NO
from simulators.poweroffice.state import Go

COMPUTED_LINE_TYPES = ("Normal", "InvoiceFee")
NO_AMOUNTS: Record = {
    "VatCode": None,
    "VatId": None,
    "VatRate": None,
    "VatAmount": 0.0,
    "NetAmount": 0.0,
    "TotalAmount": 0.0,
}


def line_amounts(
    quantity: float, unit_price: float, allowance_percent: float, vat_rate: float
) -> tuple[Decimal, Decimal, Decimal]:
    """(net, VAT, total) in the order's currency; `vat_rate` is a fraction, positive allowance a
    discount."""
    factor = (Decimal(100) - exact(allowance_percent)) / 100
    net = cents(exact(quantity) * exact(unit_price) * factor)
    vat = cents(net * exact(vat_rate))
    return net, vat, net + vat


def exact(value: float) -> Decimal:
    """The decimal number that a JSON number was written as."""
    return Decimal(str(value))


def cents(amount: Decimal) -> Decimal:
    """Two decimals; decimal's HALF_UP is away from zero for negative amounts as well."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def inherited(go: Go, product: Record, name: str) -> Any:
    """A product's own value or that of its group."""
    if product[name] is not None:
        return product[name]
    group = go.product_groups.get(product["ProductGroupId"] or 0)
    return group[name] if group else None


def sales_account(go: Go, product: Record, *, is_standard: bool) -> Record | None:
    """Product, then group, then the client's setting."""
    name = "StandardSalesAccountId" if is_standard else "OptionalSalesAccountId"
    account_id = inherited(go, product, name)
    if account_id is not None:
        return go.accounts.get(account_id)
    if not go.settings.client_sales_accounts:
        return None
    number = STANDARD_SALES_ACCOUNT_NO if is_standard else OPTIONAL_SALES_ACCOUNT_NO
    return go.accounts.find("AccountNo", number)


def account_of_line(go: Go, line: Record, customer: Record | None) -> Record | None:
    product = go.products.get(line["ProductId"]) if line["ProductId"] is not None else None
    if product is None or line["LineType"] not in COMPUTED_LINE_TYPES:
        return None
    is_standard = line["UseStandardSalesAccount"]
    if is_standard is None:
        is_standard = not (customer and customer["IsVatFree"])
    return sales_account(go, product, is_standard=is_standard)


def computed_line(go: Go, line: Record, customer: Record | None) -> Record:
    """The line with VAT and amounts filled in; an open Allowance counts as the customer's."""
    account = account_of_line(go, line, customer)
    if account is None:
        return line | NO_AMOUNTS
    vat = go.vat_code(account["VatCodeId"])
    rate = vat["Rate"] if vat else 0.0
    shown = line | NO_AMOUNTS | {"VatRate": rate}
    if vat is not None:
        shown |= {"VatCode": vat["Code"], "VatId": vat["Id"]}
    if line["Quantity"] is None or line["ProductUnitPrice"] is None:
        return shown
    allowance = line["Allowance"]
    if allowance is None:
        allowance = (customer or {}).get("Allowance") or 0.0
    net, tax, total = line_amounts(line["Quantity"], line["ProductUnitPrice"], allowance, rate)
    return shown | {"NetAmount": float(net), "VatAmount": float(tax), "TotalAmount": float(total)}


def computed_order(go: Go, order: Record) -> Record:
    """The order with its lines computed, in SortOrder, and the header's sums."""
    customer = go.customers.get(order["CustomerId"] or 0)
    lines = [computed_line(go, one, customer) for one in order["Lines"]]
    lines.sort(key=lambda one: int(one["SortOrder"]))
    return order | {
        "Lines": lines,
        "LineCount": len(lines),
        "NetAmount": float(sum(exact(one["NetAmount"]) for one in lines)),
        "TotalAmount": float(sum(exact(one["TotalAmount"]) for one in lines)),
    }
