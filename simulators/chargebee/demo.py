"""Loads the demo data through the same operations that serve the API, at the moments the data
names."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from simulators import demo_data
from simulators.chargebee import catalog, customers, invoices
from simulators.chargebee.calls import Call
from simulators.chargebee.params import nest
from simulators.chargebee.site import Actor, Site
from simulators.demo_data import DemoCustomer, DemoOrder, DemoProduct

Step = tuple[datetime, Callable[[], object]]

FAMILY_NAMES: Final = {"abonnement": "Abonnement", "tillegg": "Tillegg", "varer": "Varer"}
_IMPORTER: Final = Actor(user="admin@eksempel.no", source="admin_console")


def load_demo(site: Site, *, has_goods: bool = True) -> None:
    """Fill a wiped site; no events, no webhooks, `created_at` and `updated_at` in the past. Without
    goods nothing is shippable, so its invoices have no orders."""
    site.rewind_versions()
    steps = [*_family_steps(site)]
    for product in demo_data.PRODUCTS:
        if product.in_chargebee:
            is_shippable = product.is_shippable and has_goods
            steps += _product_steps(site, replace(product, is_shippable=is_shippable))
    for customer in demo_data.CUSTOMERS:
        if customer.in_chargebee:
            steps += _customer_steps(site, customer)
    for order in (*demo_data.ORDERS, *demo_data.ORDERLESS):
        if order.home == "chargebee":
            steps += _order_steps(site, order)
    for at, step in sorted(steps, key=lambda pair: pair[0]):
        with site.loading(int(at.timestamp() * 1000)):
            step()


def _call(site: Site, params: dict[str, object], *path_ids: str) -> Call:
    pairs = ((name, _wire(value)) for name, value in params.items() if value is not None)
    return Call(site, nest(pairs), path_ids, _IMPORTER)


def _wire(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _family_steps(site: Site) -> Iterator[Step]:
    before = min(product.created_at for product in demo_data.PRODUCTS) - timedelta(days=1)
    for id_, name in FAMILY_NAMES.items():
        call = _call(site, {"id": id_, "name": name})
        yield before, partial(catalog.create_family, call)


def _product_steps(site: Site, product: DemoProduct) -> Iterable[Step]:
    item = _call(
        site,
        {
            "id": product.chargebee_id,
            "name": product.name,
            "type": product.kind,
            "item_family_id": product.group_key,
            "external_name": product.name,
            "description": product.description,
            "unit": product.unit,
            "is_shippable": product.is_shippable,
        },
    )
    touched = _call(site, {"description": product.description}, product.chargebee_id or "")
    yield product.created_at, partial(catalog.create_item, item)
    yield product.changed_at, partial(catalog.update_item, touched)
    for currency, minor in (("NOK", product.price_minor), ("EUR", product.euro_price_minor)):
        if minor is not None:
            price = _price_call(site, product, currency, minor)
            yield product.created_at + timedelta(minutes=1), partial(catalog.create_price, price)


def _price_call(site: Site, product: DemoProduct, currency: str, minor: int) -> Call:
    is_charge = product.kind == "charge"
    return _call(
        site,
        {
            "id": product.chargebee_price_id(currency),
            "item_id": product.chargebee_id,
            "name": f"{product.name} {currency}" + ("" if is_charge else " per måned"),
            "external_name": product.name,
            "currency_code": currency,
            "pricing_model": "flat_fee" if product.kind == "plan" else "per_unit",
            "price": minor,
            "period": None if is_charge else 1,
            "period_unit": None if is_charge else "month",
        },
    )


def _customer_steps(site: Site, customer: DemoCustomer) -> Iterable[Step]:
    address = customer.address
    create = _call(
        site,
        {
            "id": customer.chargebee_id,
            "first_name": customer.first_name,
            "last_name": customer.last_name,
            "company": customer.company,
            "email": customer.email,
            "phone": customer.phone,
            "locale": "nb-NO",
            "vat_number": customer.organisation_number,
            "auto_collection": "off",
            "net_term_days": 14,
            "taxability": "exempt" if customer.tax_exempt else "taxable",
            "preferred_currency_code": "NOK",
            **(
                {}
                if address is None
                else {
                    "billing_address[first_name]": customer.first_name,
                    "billing_address[last_name]": customer.last_name,
                    "billing_address[company]": customer.company,
                    "billing_address[line1]": address.line1,
                    "billing_address[zip]": address.zip_code,
                    "billing_address[city]": address.city,
                    "billing_address[country]": address.country_code,
                }
            ),
        },
    )
    touch = _call(site, {"locale": "nb-NO"}, customer.chargebee_id or "")
    yield customer.created_at, partial(customers.create, create)
    yield customer.changed_at, partial(customers.update, touch)


def _order_steps(site: Site, order: DemoOrder) -> Iterable[Step]:
    customer = demo_data.CUSTOMERS_BY_KEY[order.customer_key]
    params: dict[str, object] = {
        "customer_id": customer.chargebee_id,
        "currency_code": "NOK",
        "po_number": order.po_number,
        "invoice_date": int(order.ordered_at.timestamp()),
    }
    discounted = [line for line in order.lines if line.discount_minor]
    for index, line in enumerate(order.lines):
        product = demo_data.PRODUCTS_BY_KEY[line.product_key]
        params[f"item_prices[item_price_id][{index}]"] = product.chargebee_price_id()
        params[f"item_prices[quantity][{index}]"] = int(line.quantity)
    for index, line in enumerate(discounted):
        product = demo_data.PRODUCTS_BY_KEY[line.product_key]
        params[f"discounts[apply_on][{index}]"] = "specific_item_price"
        params[f"discounts[item_price_id][{index}]"] = product.chargebee_price_id()
        params[f"discounts[amount][{index}]"] = line.discount_minor
    invoice_id = str(order.invoice_number)
    payment = _call(site, {"transaction[payment_method]": "bank_transfer"}, invoice_id)
    create = _call(site, params)
    yield order.ordered_at, partial(invoices.create_for_charges, create)
    if order.state == "paid":
        yield order.ordered_at + timedelta(minutes=30), partial(invoices.record_payment, payment)
