"""Which operation answers which method and path below `/api/v2`.

Paths come as they were sent, percent-encoded. An id may hold a `/`, which stands in the path as it
is: the vendor's own SDK sends it so, and `%2F` is not found (chargebee/chargebee-go#40). The end of
a path says what it is about, so that an id whose end is the word of an operation cannot be
addressed. Empty segments fall away, as servers before an API do it [inference].
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from simulators.chargebee import (
    catalog,
    corrections,
    credit_notes,
    customers,
    events,
    imports,
    invoices,
    orders,
)
from simulators.chargebee.calls import Call

Operation = Callable[[Call], dict[str, Any]]

PREFIX: Final = "/api/v2"

_OPERATIONS: Final[tuple[tuple[str, str, Operation], ...]] = (
    ("POST", "/customers", customers.create),
    ("GET", "/customers", customers.list_all),
    ("GET", "/customers/{id}", customers.retrieve),
    ("POST", "/customers/{id}", customers.update),
    ("POST", "/customers/{id}/update_billing_info", customers.update_billing_info),
    ("POST", "/customers/{id}/delete", customers.delete),
    ("POST", "/item_families", catalog.create_family),
    ("GET", "/item_families", catalog.list_families),
    ("GET", "/item_families/{id}", partial(catalog.retrieve, kind="item_family")),
    ("POST", "/item_families/{id}", catalog.update_family),
    ("POST", "/item_families/{id}/delete", catalog.delete_family),
    ("POST", "/items", catalog.create_item),
    ("GET", "/items", catalog.list_items),
    ("GET", "/items/{id}", partial(catalog.retrieve, kind="item")),
    ("POST", "/items/{id}", catalog.update_item),
    ("POST", "/items/{id}/delete", catalog.delete_item),
    ("POST", "/item_prices", catalog.create_price),
    ("GET", "/item_prices", catalog.list_prices),
    ("GET", "/item_prices/{id}", partial(catalog.retrieve, kind="item_price")),
    ("POST", "/item_prices/{id}", catalog.update_price),
    ("POST", "/item_prices/{id}/delete", catalog.delete_price),
    ("POST", "/orders", orders.refuse_create),
    ("GET", "/orders", orders.list_all),
    ("POST", "/orders/import_order", orders.import_order),
    ("GET", "/orders/{id}", orders.retrieve),
    ("POST", "/orders/{id}", orders.update),
    ("POST", "/orders/{id}/cancel", orders.cancel),
    ("POST", "/orders/{id}/reopen", orders.reopen),
    ("POST", "/orders/{id}/create_refundable_credit_note", orders.create_refundable_credit_note),
    ("POST", "/orders/{id}/assign_order_number", orders.assign_number),
    ("POST", "/orders/{id}/delete", orders.delete),
    ("POST", "/invoices/create_for_charge_items_and_charges", invoices.create_for_charges),
    ("POST", "/invoices/import_invoice", imports.import_invoice),
    ("GET", "/invoices", invoices.list_all),
    ("GET", "/invoices/{id}", invoices.retrieve),
    ("POST", "/invoices/{id}/record_payment", invoices.record_payment),
    ("POST", "/invoices/{id}/remove_payment", corrections.remove_payment),
    ("POST", "/invoices/{id}/refund", corrections.refund),
    ("POST", "/invoices/{id}/record_refund", corrections.record_refund),
    ("POST", "/invoices/{id}/void", corrections.void),
    ("POST", "/invoices/{id}/delete", corrections.delete),
    ("GET", "/invoices/{id}/orders", orders.list_of_invoice),
    ("POST", "/credit_notes", credit_notes.create),
    ("GET", "/credit_notes", credit_notes.list_all),
    ("GET", "/credit_notes/{id}", credit_notes.retrieve),
    ("POST", "/credit_notes/{id}/record_refund", credit_notes.record_refund),
    ("POST", "/credit_notes/{id}/void", credit_notes.void),
    ("POST", "/credit_notes/{id}/delete", credit_notes.delete),
    ("GET", "/events", events.list_all),
    ("GET", "/events/{id}", events.retrieve),
    ("GET", "/webhook_endpoints", events.list_endpoints),
    ("GET", "/webhook_endpoints/{id}", events.retrieve_endpoint),
    ("GET", "/configurations", events.configurations),
    ("GET", "/currencies/list", events.currencies),
)
_ID: Final = "{id}"
_BY_RESOURCE: Final[dict[str, list[tuple[str, str, re.Pattern[str], Operation]]]] = {}
# The first match wins: longer templates, and fixed words before an id, which may hold the rest of
# any path.
_BY_WORDS: Final = sorted(
    _OPERATIONS, key=lambda each: (-each[1].count("/"), each[1].endswith(_ID))
)
for _method, _template, _operation in _BY_WORDS:
    _pattern = re.compile(re.sub(re.escape(_ID), "(.+)", _template))
    _BY_RESOURCE.setdefault(_template.split("/")[1], []).append(
        (_method, _template, _pattern, _operation)
    )


def find(method: str, path: str) -> tuple[str, tuple[str, ...], Operation] | None:
    """(template, ids in the path, operation) for a full path such as `/api/v2/customers/x`; None
    when unknown."""
    segments = [each for each in path.removeprefix(PREFIX).split("/") if each]
    if not segments or "%2f" in path.lower():
        return None
    below = "/" + "/".join(segments)
    for known_method, template, pattern, operation in _BY_RESOURCE.get(segments[0], ()):
        match = pattern.fullmatch(below) if known_method == method else None
        if match:
            return template, tuple(unquote(each) for each in match.groups()), operation
    return None


def has_other_method(path: str) -> bool:
    """Whether the path is known, be it under another method."""
    return any(find(method, path) for method in ("GET", "POST"))


def template_of(method: str, path: str) -> str | None:
    """The path template for the log; an unknown path below the prefix stands for itself, others are
    None."""
    if not path.startswith(PREFIX + "/"):
        return None
    found = find(method, path)
    return found[0] if found else path.removeprefix(PREFIX)
