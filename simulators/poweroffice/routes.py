"""Which operation a method and path mean, in any letter case, and the privilege it needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from simulators.poweroffice import (
    contact_persons,
    customers,
    invoices,
    ledger,
    order_lines,
    orders,
    products,
    sending,
)
from simulators.poweroffice.http import Handler
from simulators.poweroffice.privileges import read, write

API_PREFIX: Final = "/v2"
TOKEN_PATH: Final = "/OAuth/Token"
_PATTERNS: Final = {"int": r"-?\d{1,19}", "uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"}


@dataclass(frozen=True)
class Route:
    """`template` has names only, as in the request log; no `needs` means that any token will do."""

    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler
    needs: frozenset[str]


def _route(method: str, path: str, handler: Handler, needs: frozenset[str] = frozenset()) -> Route:
    pattern = re.sub(r"{(\w+):(\w+)}", lambda found: f"(?P<{found[1]}>{_PATTERNS[found[2]]})", path)
    template = re.sub(r":\w+}", "}", path)
    return Route(method, template, re.compile(pattern, re.IGNORECASE), handler, needs)


_CUSTOMER, _CUSTOMER_W = read("Customer"), write("Customer")
_PERSON, _PERSON_W = read("ContactPerson", "Customer"), write("ContactPerson", "Customer")
_PRODUCT, _PRODUCT_W = read("Product"), write("Product")
_ORDER, _ORDER_W = read("SalesOrders"), write("SalesOrders")
_ACCOUNT, _ACCOUNT_W = read("GeneralLedgerAccount"), write("GeneralLedgerAccount")
_INVOICE, _COMMON = read("OutgoingInvoice"), read("CommonServices")

ROUTES: Final = (
    _route("GET", "/Customers", customers.list_customers, _CUSTOMER),
    _route("POST", "/Customers", customers.create_customer, _CUSTOMER_W),
    _route("GET", "/Customers/{id:int}", customers.get_customer, _CUSTOMER),
    _route("PATCH", "/Customers/{id:int}", customers.patch_customer, _CUSTOMER_W),
    _route("DELETE", "/Customers/{id:int}", customers.delete_customer, _CUSTOMER_W),
    _route("GET", "/ContactPersons", contact_persons.list_persons, _PERSON),
    _route("POST", "/ContactPersons/{contactId:int}", contact_persons.create_person, _PERSON_W),
    _route("GET", "/ContactPersons/{contactId:int}/{id:int}", contact_persons.get_person, _PERSON),
    _route(
        "PATCH", "/ContactPersons/{contactId:int}/{id:int}", contact_persons.patch_person, _PERSON_W
    ),
    _route(
        "DELETE",
        "/ContactPersons/{contactId:int}/{id:int}",
        contact_persons.delete_person,
        _PERSON_W,
    ),
    _route("GET", "/Products", products.list_products, _PRODUCT),
    _route("POST", "/Products", products.create_product, _PRODUCT_W),
    _route("GET", "/Products/{id:int}", products.get_product, _PRODUCT),
    _route("PATCH", "/Products/{id:int}", products.patch_product, _PRODUCT_W),
    _route("DELETE", "/Products/{id:int}", products.delete_product, _PRODUCT_W),
    _route("GET", "/ProductGroups", products.list_groups, _PRODUCT),
    _route("POST", "/ProductGroups", products.create_group, _PRODUCT_W),
    _route("GET", "/ProductGroups/{id:int}", products.get_group, _PRODUCT),
    _route("PATCH", "/ProductGroups/{id:int}", products.patch_group, _PRODUCT_W),
    _route("DELETE", "/ProductGroups/{id:int}", products.delete_group, _PRODUCT_W),
    _route("GET", "/SalesOrders", orders.list_orders, _ORDER),
    _route("POST", "/SalesOrders/Complete", orders.create_complete, _ORDER_W),
    _route("GET", "/SalesOrders/sentState", sending.sent_state, _ORDER_W),
    _route("GET", "/SalesOrders/{id:uuid}", orders.get_order, _ORDER),
    _route("PATCH", "/SalesOrders/{id:uuid}", orders.patch_order, _ORDER_W),
    _route("DELETE", "/SalesOrders/{id:uuid}", orders.delete_order, _ORDER_W),
    _route("GET", "/SalesOrders/{id:uuid}/Complete", orders.get_complete, _ORDER),
    _route("GET", "/SalesOrders/{id:uuid}/Lines", order_lines.list_lines, _ORDER),
    _route("POST", "/SalesOrders/{id:uuid}/Lines", order_lines.create_line, _ORDER_W),
    _route("GET", "/SalesOrders/{id:uuid}/Lines/{lineId:uuid}", order_lines.get_line, _ORDER),
    _route("PATCH", "/SalesOrders/{id:uuid}/Lines/{lineId:uuid}", order_lines.patch_line, _ORDER_W),
    _route(
        "DELETE", "/SalesOrders/{id:uuid}/Lines/{lineId:uuid}", order_lines.delete_line, _ORDER_W
    ),
    _route(
        "POST", "/SalesOrders/{id:uuid}/createAndSendInvoice", sending.create_and_send, _ORDER_W
    ),
    _route("GET", "/OutgoingInvoices", invoices.list_invoices, _INVOICE),
    _route("GET", "/OutgoingInvoices/{id:uuid}", invoices.get_invoice, _INVOICE),
    _route("GET", "/OutgoingInvoices/{id:uuid}/Lines", invoices.list_lines, _INVOICE),
    _route("GET", "/GeneralLedgerAccounts", ledger.list_accounts, _ACCOUNT),
    _route("POST", "/GeneralLedgerAccounts", ledger.create_account, _ACCOUNT_W),
    _route("GET", "/GeneralLedgerAccounts/{id:int}", ledger.get_account, _ACCOUNT),
    _route("PATCH", "/GeneralLedgerAccounts/{id:int}", ledger.patch_account, _ACCOUNT_W),
    _route("DELETE", "/GeneralLedgerAccounts/{id:int}", ledger.delete_account, _ACCOUNT_W),
    _route("GET", "/VatCodes", ledger.list_vat_codes, _COMMON),
    _route("GET", "/Currencies", ledger.list_currencies, _COMMON),
    _route("GET", "/ClientIntegrationInformation", ledger.client_information),
)


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route and its path parameters; `path` includes the version prefix."""
    if not path.lower().startswith(f"{API_PREFIX}/"):
        return None
    inner = path[len(API_PREFIX) :].rstrip("/")
    for route in ROUTES:
        found = route.pattern.fullmatch(inner) if route.method == method else None
        if found is not None:
            return route, found.groupdict()
    return None


def is_token(method: str, path: str) -> bool:
    return method == "POST" and path.rstrip("/").lower() == TOKEN_PATH.lower()


def template_of(method: str, path: str) -> str | None:
    """The name of a request in log and faults; None for the simulator's own endpoints."""
    if path.startswith("/_sim/"):
        return None
    if is_token(method, path):
        return TOKEN_PATH
    found = find_route(method, path)
    if found is not None:
        return found[0].template
    return path[len(API_PREFIX) :] if path.lower().startswith(f"{API_PREFIX}/") else path
