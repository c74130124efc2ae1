"""Every error class of the Chargebee simulator as the vendor's own Python SDK sees it."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import chargebee
import httpx
import pytest
from chargebee import APIError, InvalidRequestError, OperationFailedError, PaymentError
from chargebee.request import send
from chargebee.retry_config import RetryConfig

from tests.contract.test_sim_chargebee import KEY, NORDMANN, Simulator, launched
from tests.contract.test_sim_chargebee_sdk import (
    IMPORT,
    IMPORT_ORDER,
    order_of,
    sdk,
    shop,
    simulator,
    sold,
)
from tests.waiting import NEVER_S, wait_for

__all__ = ["sdk", "shop", "simulator"]

ROLES = {
    "reader": "read_only_access",
    "books": "read_transactional_data",
    "catalog": "read_product_configuration",
    "browser": "publishable",
    "checkout": "publishable_extended",
    "editor": "update_access",
}
Sdk: TypeAlias = chargebee.Chargebee


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with launched(
        *(f"--extra-api-key={name}=key_{name}:{role}" for name, role in ROLES.items())
    ) as simulator:
        yield simulator


def client(simulator: Simulator, key: str) -> Sdk:
    return chargebee.Chargebee(
        key, "127", chargebee_domain=f"0.0.1:{simulator.port}", protocol="http"
    )


def refusal(call: Callable[[], object]) -> tuple[type[APIError], int, str | None, str, str | None]:
    """(exception, status, type, api_error_code, param) of a call that must fail."""
    with pytest.raises(APIError) as raised:
        call()
    error = raised.value
    assert error.error_code == error.api_error_code
    assert error.json_obj["http_status_code"] == error.http_status_code
    assert error.json_obj["error_msg"] == error.json_obj["message"] == str(error)
    assert error.json_obj.get("error_param") == error.param
    assert error.http_headers["content-type"] == "application/json;charset=utf-8"
    return type(error), error.http_status_code, error.type, error.api_error_code, error.param


def of_address(**parts: str) -> Callable[[Sdk], object]:
    return lambda sdk: sdk.Customer.create({"billing_address": parts})


def of_customer(**values: Any) -> Callable[[Sdk], object]:
    return lambda sdk: sdk.Customer.create(values)


def of_search(**search: Any) -> Callable[[Sdk], object]:
    return lambda sdk: sdk.Customer.list(search)


def of_item(**values: Any) -> Callable[[Sdk], object]:
    given = {"id": "x", "name": "x", "type": "charge", "item_family_id": "varer"}
    return lambda sdk: sdk.Item.create({**given, **values})


def of_price(**values: Any) -> Callable[[Sdk], object]:
    given = {"id": "x", "name": "x", "item_id": "kurs", "currency_code": "EUR", "price": 1}
    return lambda sdk: sdk.ItemPrice.create({**given, **values})


def of_invoice(**values: Any) -> Callable[[Sdk], object]:
    lines = [{"item_price_id": "leser-NOK", "quantity": 1}]
    given = {"customer_id": "ola-1", "currency_code": "NOK", "item_prices": lines}
    return lambda sdk: sdk.Invoice.create_for_charge_items_and_charges({**given, **values})


def of_import(**values: Any) -> Callable[[Sdk], object]:
    return lambda sdk: sdk.Invoice.import_invoice({**IMPORT, **values})


def of_line(**values: Any) -> Callable[[Sdk], object]:
    return of_import(line_items=[{**IMPORT["line_items"][0], **values}])  # type: ignore[index]


WRONG_VALUES: list[tuple[Callable[[Sdk], object], str]] = [
    (of_customer(email="no mail"), "email"),
    (of_customer(email="x" * 70 + "@a.no"), "email"),
    (of_customer(first_name="x" * 151), "first_name"),
    (of_customer(id="x" * 51), "id"),
    (of_customer(taxability="maybe"), "taxability"),
    (of_customer(net_term_days="soon"), "net_term_days"),
    (of_customer(net_term_days=-1), "net_term_days"),
    (of_customer(preferred_currency_code="XXX"), "preferred_currency_code"),
    (of_customer(allow_direct_debit="yes"), "allow_direct_debit"),
    (of_customer(meta_data="[1]"), "meta_data"),
    (of_customer(cf_unknown="1"), "cf_unknown"),
    (of_customer(vat_number="x" * 21), "vat_number"),
    (
        of_customer(entity_identifiers=[{"scheme": "s"}, {"scheme": "x" * 51}]),
        "entity_identifiers[scheme][1]",
    ),
    (of_address(city="x" * 51), "billing_address[city]"),
    (of_address(country="QQ"), "billing_address[country]"),
    (of_address(country="NO", zip="123"), "billing_address[zip]"),
    (of_address(email="x"), "billing_address[email]"),
    (of_search(limit=101), "limit"),
    (of_search(limit=0), "limit"),
    (of_search(offset="zz"), "offset"),
    (of_search(created_at={"is": 1}), "created_at[is]"),
    (of_search(created_at={"after": "today"}), "created_at[after]"),
    (of_search(updated_at={"between": [1]}), "updated_at[between]"),
    (of_search(taxability={"is": "maybe"}), "taxability[is]"),
    (of_search(email={"in": ["a@b.no"]}), "email[in]"),
    (of_search(meta_data={"is": "1"}), "meta_data"),
    (of_search(sort_by={"asc": "email"}), "sort_by[asc]"),
    (of_search(include_deleted="maybe"), "include_deleted"),
    (of_item(name=""), "name"),
    (of_item(type="thing"), "type"),
    (of_item(description="x" * 501), "description"),
    (lambda sdk: sdk.Item.create({"id": "x", "name": "x", "type": "charge"}), "item_family_id"),
    (lambda sdk: sdk.Item.update("kurs", {"status": "deleted"}), "status"),
    (of_price(price=None), "price"),
    (of_price(price=-1), "price"),
    (of_price(currency_code=None), "currency_code"),
    (of_price(currency_code="NOK"), "currency_code"),
    (of_price(period=1, period_unit="month"), "period"),
    (of_price(pricing_model="tiered"), "tiers"),
    (of_price(accounting_detail={"sku": "x" * 101}), "accounting_detail[sku]"),
    (of_invoice(customer_id=None), "customer_id"),
    (of_invoice(currency_code="EUR"), "item_prices[item_price_id][0]"),
    (
        of_invoice(item_prices=[{"item_price_id": "leser-NOK", "quantity": 0}]),
        "item_prices[quantity][0]",
    ),
    (of_invoice(item_prices=[]), "item_prices[item_price_id][0]"),
    (of_import(total=1), "total"),
    (of_import(payments=[]), "payments[amount][0]"),
    (of_import(customer_id=None), "customer_id"),
    (of_line(tax1_name="VAT"), "line_items[tax1_name][0]"),
    (of_line(entity_type="plan_item_price"), "line_items[entity_type][0]"),
    (of_line(amount=1), "line_items[amount][0]"),
]


@pytest.mark.parametrize(
    ("call", "param"), WRONG_VALUES, ids=[f"{n}-{p}" for n, (_, p) in enumerate(WRONG_VALUES)]
)
def test_a_wrong_value_names_its_parameter(
    shop: Sdk, call: Callable[[Sdk], object], param: str
) -> None:
    expected = (InvalidRequestError, 400, "invalid_request", "param_wrong_value", param)
    assert refusal(lambda: call(shop)) == expected


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (of_customer(**NORDMANN), "id"),
        (of_item(id="kurs"), "id"),
        (of_item(name="kurs"), "name"),
        (of_price(id="kurs-NOK"), "id"),
        (of_price(name="kurs NOK"), "name"),
        (lambda sdk: sdk.ItemFamily.create({"id": "varer", "name": "x"}), "id"),
        (
            lambda sdk: (sdk.Invoice.import_invoice(IMPORT), sdk.Invoice.import_invoice(IMPORT)),
            "id",
        ),
    ],
)
def test_a_second_one_is_a_duplicate(shop: Sdk, call: Callable[[Sdk], object], param: str) -> None:
    expected = (InvalidRequestError, 400, "invalid_request", "duplicate_entry", param)
    assert refusal(lambda: call(shop)) == expected


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (lambda sdk: sdk.Customer.retrieve("none"), None),
        (lambda sdk: sdk.Customer.update("none", {"phone": "1"}), None),
        (lambda sdk: sdk.Item.retrieve("none"), None),
        (lambda sdk: sdk.ItemPrice.retrieve("none"), None),
        (lambda sdk: sdk.ItemFamily.retrieve("none"), None),
        (lambda sdk: sdk.Order.retrieve("none"), None),
        (lambda sdk: sdk.Order.orders_for_invoice("none"), None),
        (lambda sdk: sdk.Invoice.retrieve("none"), None),
        (lambda sdk: sdk.Event.retrieve("none"), None),
        (of_item(item_family_id="none"), "item_family_id"),
        (of_price(item_id="none"), "item_id"),
        (of_invoice(customer_id="none"), "customer_id"),
        (of_line(entity_id="none"), "line_items[entity_id][0]"),
        (lambda sdk: sdk.Order.import_order(IMPORT_ORDER), "invoice_id"),
        (
            lambda sdk: sdk.Order.update(order_of(sdk).id, {"order_line_items": [{"id": "none"}]}),
            "order_line_items[id][0]",
        ),
    ],
)
def test_what_is_not_there_is_not_found(
    shop: Sdk, call: Callable[[Sdk], object], param: str | None
) -> None:
    expected = (InvalidRequestError, 404, "invalid_request", "resource_not_found", param)
    assert refusal(lambda: call(shop)) == expected


def cancelled(sdk: Sdk) -> str:
    return str(sdk.Order.cancel(order_of(sdk).id, {"cancellation_reason": "others"}).order.id)


@pytest.mark.parametrize(
    "call",
    [
        lambda sdk: sdk.Item.delete("kurs"),
        lambda sdk: sdk.ItemFamily.delete("varer"),
        lambda sdk: sdk.Order.update(cancelled(sdk), {"status": "queued"}),
        lambda sdk: sdk.Order.cancel(cancelled(sdk), {"cancellation_reason": "others"}),
        lambda sdk: sdk.Order.reopen(order_of(sdk).id),
        lambda sdk: sdk.Order.delete(order_of(sdk).id),
        lambda sdk: sdk.Order.assign_order_number(order_of(sdk).id),
        lambda sdk: sdk.Invoice.record_payment(
            sold(sdk).id, {"transaction": {"payment_method": "cash"}}
        ),
    ],
    ids=["item", "family", "moved", "cancelled", "open", "generated", "numbered", "paid"],
)
def test_what_the_state_forbids_is_a_conflict(shop: Sdk, call: Callable[[Sdk], object]) -> None:
    expected = (InvalidRequestError, 409, "invalid_request", "invalid_state_for_request", None)
    assert refusal(lambda: call(shop)) == expected


def test_an_order_cannot_be_created_nor_listed_where_orders_are_off(
    shop: Sdk, simulator: Simulator
) -> None:
    expected = (APIError, 400, None, "configuration_incompatible", None)
    assert refusal(lambda: shop.Order.create({"invoice_id": sold(shop).id})) == expected
    simulator.control.post("/settings", json={"orders_enabled": False})
    assert refusal(lambda: shop.Order.list()) == expected


def test_a_used_item_price_keeps_its_terms(shop: Sdk) -> None:
    sold(shop)
    expected = (InvalidRequestError, 400, "invalid_request", "param_wrong_value", "pricing_model")
    assert (
        refusal(lambda: shop.ItemPrice.update("leser-NOK", {"pricing_model": "flat_fee"}))
        == expected
    )


def test_a_payment_is_no_more_than_what_is_due_and_has_a_method(shop: Sdk) -> None:
    lines = [{"item_price_id": "leser-NOK", "quantity": 1}]
    given = {"customer_id": "ola-1", "currency_code": "NOK", "item_prices": lines}
    invoice_id = shop.Invoice.create_for_charge_items_and_charges(given).invoice.id
    too_much: Any = {"transaction": {"payment_method": "cash", "amount": 99999}}
    assert (
        refusal(lambda: shop.Invoice.record_payment(invoice_id, too_much))[4]
        == "transaction[amount]"
    )
    nameless: Any = {"transaction": {"amount": 1}}
    assert (
        refusal(lambda: shop.Invoice.record_payment(invoice_id, nameless))[4]
        == "transaction[payment_method]"
    )


def test_only_an_imported_invoice_takes_an_imported_order(shop: Sdk) -> None:
    invoice_id = sold(shop).id
    found = refusal(lambda: shop.Order.import_order({**IMPORT_ORDER, "invoice_id": invoice_id}))
    assert found[3:] == ("param_wrong_value", "invoice_id")


def test_a_deleted_customer_may_be_gone(sdk: Sdk, simulator: Simulator) -> None:
    sdk.Customer.create(NORDMANN)
    sdk.Customer.delete("ola-1")
    assert refusal(lambda: sdk.Customer.update("ola-1", {"phone": "1"}))[1] == 404
    assert sdk.Customer.retrieve("ola-1").customer.deleted is True
    simulator.control.post("/settings", json={"get_deleted_is_404": True})
    assert refusal(lambda: sdk.Customer.retrieve("ola-1"))[3] == "resource_not_found"


# -- who may


def test_an_unknown_key_is_no_key(sdk: Sdk, simulator: Simulator) -> None:
    expected = (APIError, 401, None, "api_authentication_failed", None)
    assert refusal(lambda: client(simulator, "wrong").Customer.list()) == expected


def test_a_revoked_key_stops_at_once_and_comes_back(sdk: Sdk, simulator: Simulator) -> None:
    sdk.Customer.list()
    simulator.control.post("/settings", json={"revoked_keys": ["tandem"]})
    expected = (APIError, 401, None, "api_authentication_failed", None)
    assert refusal(lambda: sdk.Customer.list()) == expected
    assert client(simulator, "key_reader").Customer.list().list == []
    simulator.control.post("/settings", json={"revoked_keys": []})
    assert sdk.Customer.list().list == []


@pytest.mark.parametrize(
    ("name", "call", "is_allowed"),
    [
        ("reader", lambda sdk: sdk.Customer.list(), True),
        ("reader", lambda sdk: sdk.Item.list(), True),
        ("reader", lambda sdk: sdk.Customer.create(), False),
        ("books", lambda sdk: sdk.Order.list(), True),
        ("books", lambda sdk: sdk.Item.list(), False),
        ("catalog", lambda sdk: sdk.ItemPrice.list(), True),
        ("catalog", lambda sdk: sdk.Customer.list(), False),
        ("browser", lambda sdk: sdk.Item.list(), False),
        ("checkout", lambda sdk: sdk.Customer.list(), False),
        ("editor", lambda sdk: sdk.Customer.create(), True),
    ],
)
def test_a_role_allows_or_forbids(
    sdk: Sdk, simulator: Simulator, name: str, call: Callable[[Sdk], Any], is_allowed: bool
) -> None:
    caller = client(simulator, f"key_{name}")
    if is_allowed:
        assert call(caller).http_status_code == 200
    else:
        assert refusal(lambda: call(caller)) == (
            APIError,
            403,
            None,
            "api_authorization_failed",
            None,
        )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("not_found", (APIError, 404, None, "site_not_found", None)),
        ("blocked", (OperationFailedError, 403, "operation_failed", "request_blocked", None)),
        ("not_ready", (OperationFailedError, 503, "operation_failed", "site_not_ready", None)),
        ("read_only", (OperationFailedError, 503, "operation_failed", "site_read_only_mode", None)),
    ],
)
def test_a_site_may_be_away(
    sdk: Sdk, simulator: Simulator, state: str, expected: tuple[Any, ...]
) -> None:
    simulator.control.post("/settings", json={"site_state": state})
    assert refusal(lambda: sdk.Customer.create(NORDMANN)) == expected
    if state == "read_only":
        assert sdk.Customer.list().list == []


@pytest.mark.parametrize(
    ("method", "path"), [("post", "/events"), ("post", "/currencies/list"), ("put", "/customers")]
)
def test_another_method_is_not_supported(sdk: Sdk, method: str, path: str) -> None:
    found = refusal(lambda: send(method, path, sdk.env))
    assert found == (InvalidRequestError, 405, "invalid_request", "http_method_not_supported", None)


def test_an_unknown_path_is_not_found(sdk: Sdk) -> None:
    assert refusal(lambda: sdk.Subscription.list({}))[1:4] == (
        404,
        "invalid_request",
        "resource_not_found",
    )


def test_an_idempotency_key_belongs_to_one_payload(sdk: Sdk) -> None:
    headers = {"chargebee-idempotency-key": "k"}
    sdk.Customer.create({"first_name": "A"}, headers=dict(headers))
    found = refusal(lambda: sdk.Customer.create({"first_name": "B"}, headers=dict(headers)))
    assert found == (InvalidRequestError, 422, "invalid_request", "unable_to_process_request", None)
    too_long = {"chargebee-idempotency-key": "x" * 101}
    assert refusal(lambda: sdk.Customer.create(headers=too_long))[:2] == (InvalidRequestError, 400)


def test_the_minute_is_full_until_it_is_over(sdk: Sdk, simulator: Simulator) -> None:
    simulator.control.post("/settings", json={"rate_limit_per_minute": 2})
    for _ in range(2):
        sdk.Customer.list()
    with pytest.raises(OperationFailedError) as full:
        sdk.Customer.list()
    assert (full.value.http_status_code, full.value.api_error_code) == (
        429,
        "api_request_limit_exceeded",
    )
    assert 1 <= int(full.value.http_headers["retry-after"]) <= 60
    simulator.control.post("/settings", json={"clock_offset_s": 61})
    assert sdk.Customer.list().list == []


# -- faults

# Typed by hand from the vendor's error table.
ERRORS: list[tuple[int, str, str | None]] = [
    (400, "invalid_request", "invalid_request"),
    (400, "param_wrong_value", "invalid_request"),
    (400, "duplicate_entry", "invalid_request"),
    (400, "resource_limit_exceeded", "invalid_request"),
    (400, "resource_limit_exhausted", "invalid_request"),
    (400, "configuration_incompatible", None),
    (400, "payment_processing_failed", "payment"),
    (400, "payment_method_not_present", "payment"),
    (401, "api_authentication_failed", None),
    (401, "basic_authentication_failed", None),
    (403, "api_authorization_failed", None),
    (403, "request_blocked", "operation_failed"),
    (404, "resource_not_found", "invalid_request"),
    (404, "site_not_found", None),
    (405, "http_method_not_supported", "invalid_request"),
    (409, "invalid_state_for_request", "invalid_request"),
    (422, "unable_to_process_request", "invalid_request"),
    (429, "api_request_limit_exceeded", "operation_failed"),
    (429, "lock_timeout", "operation_failed"),
    (429, "third_party_api_request_limit_exceeded", "operation_failed"),
    (500, "internal_error", "operation_failed"),
    (503, "internal_temporary_error", "operation_failed"),
    (503, "db_connection_failure", "invalid_request"),
    (503, "site_not_ready", "operation_failed"),
    (503, "site_read_only_mode", "operation_failed"),
]
EXCEPTIONS = {
    "invalid_request": InvalidRequestError,
    "operation_failed": OperationFailedError,
    "payment": PaymentError,
    None: APIError,
}


def inject(simulator: Simulator, **fault: Any) -> None:
    assert simulator.control.post("/faults", json=fault).status_code == 200


@pytest.mark.parametrize(("status", "code", "type_"), ERRORS, ids=[code for _, code, _ in ERRORS])
def test_every_error_can_be_switched_on(
    sdk: Sdk, simulator: Simulator, status: int, code: str, type_: str | None
) -> None:
    inject(simulator, kind="error", status=status, api_error_code=code, param="email")
    expected = (EXCEPTIONS[type_], status, type_, code, "email")
    assert refusal(lambda: sdk.Customer.create(NORDMANN)) == expected
    assert sdk.Customer.list().list == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_request"),
        (401, "api_authentication_failed"),
        (403, "api_authorization_failed"),
        (404, "resource_not_found"),
        (409, "invalid_state_for_request"),
        (429, "api_request_limit_exceeded"),
        (500, "internal_error"),
        (503, "internal_temporary_error"),
    ],
)
def test_a_status_alone_stands_for_its_usual_error(
    sdk: Sdk, simulator: Simulator, status: int, code: str
) -> None:
    inject(simulator, kind="error", status=status)
    assert refusal(lambda: sdk.Customer.list())[1::2] == (status, code)


def test_a_lock_timeout_is_no_full_minute(sdk: Sdk, simulator: Simulator) -> None:
    inject(simulator, kind="lock_timeout", match="POST /customers", retry_after=1)
    with pytest.raises(OperationFailedError) as locked:
        sdk.Customer.create(NORDMANN)
    assert (locked.value.http_status_code, locked.value.api_error_code) == (429, "lock_timeout")
    assert locked.value.http_headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error"},
        {"kind": "error", "status": 200},
        {"kind": "other"},
        {"kind": "slow", "colour": "red"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(
    simulator: Simulator, fault: dict[str, Any]
) -> None:
    assert simulator.control.post("/faults", json=fault).status_code == 400


def test_a_gateway_answers_in_html(sdk: Sdk, simulator: Simulator) -> None:
    inject(simulator, kind="html502")
    with pytest.raises(Exception, match="Bad Gateway") as raised:
        sdk.Customer.list()
    assert not isinstance(raised.value, APIError)


@pytest.mark.parametrize("kind", ["drop_before", "drop_reply_after_commit", "truncated_body"])
def test_a_connection_breaks(sdk: Sdk, simulator: Simulator, kind: str) -> None:
    inject(simulator, kind=kind, match="POST /customers")
    with pytest.raises(httpx.TransportError):
        sdk.Customer.create(NORDMANN)
    assert len(sdk.Customer.list().list) == (0 if kind == "drop_before" else 1)


def test_a_slow_answer_times_out_but_is_committed(sdk: Sdk, simulator: Simulator) -> None:
    inject(simulator, kind="drop_reply_after_commit", match="POST /customers", delay_s=NEVER_S)
    domain = f"0.0.1:{simulator.port}"
    hasty = chargebee.Chargebee(
        KEY, "127", chargebee_domain=domain, protocol="http", read_time_out=0.2
    )
    with pytest.raises(httpx.ReadTimeout):
        hasty.Customer.create(NORDMANN)
    (made,) = wait_for("it is committed", lambda: sdk.Customer.list().list)
    assert made.customer.first_name == "Ola"


def test_a_list_can_be_empty_or_cut_off_without_a_word(sdk: Sdk, simulator: Simulator) -> None:
    for number in range(6):
        simulator.post("/customers", {"id": f"c{number}"})
    inject(simulator, kind="empty_list", match="GET /customers")
    assert sdk.Customer.list().list == []
    inject(simulator, kind="truncated_list", match="GET /customers")
    page = sdk.Customer.list({"limit": 4})
    assert (len(page.list), page.next_offset) == (2, None)
    inject(simulator, kind="truncated_list", match="GET /customers", keep_rows=1)
    assert len(sdk.Customer.list().list) == 1
    assert len(sdk.Customer.list().list) == 6


def test_the_sdk_repeats_what_may_be_repeated(sdk: Sdk, simulator: Simulator) -> None:
    sdk.update_retry_config(
        RetryConfig(enabled=True, max_retries=3, delay_ms=1, retry_on=[500, 503])
    )
    for status in (500, 503):
        inject(simulator, kind="error", status=status, match="POST /customers")
    inject(simulator, kind="lock_timeout", match="POST /customers")
    assert sdk.Customer.create(NORDMANN).customer.id == "ola-1"
    statuses = [entry["status"] for entry in simulator.control.get("/requests").json()["log"]]
    assert statuses == [500, 503, 429, 200]
