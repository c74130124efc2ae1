"""From a tenant's settings to what the decisions need."""

from contracts.entities import EntityName, System
from contracts.settings import Tenant
from services.linker.state import Policy


def policy_of(tenant: Tenant) -> Policy:
    """The policy of a tenant; undecided settings keep it in observe."""
    switches: dict[tuple[EntityName, System], bool | None] = {
        ("customer", "chargebee"): tenant.create.customer.to_chargebee,
        ("customer", "poweroffice"): tenant.create.customer.to_poweroffice,
        ("product", "chargebee"): tenant.create.product.to_chargebee,
        ("product", "poweroffice"): tenant.create.product.to_poweroffice,
        ("order", "chargebee"): tenant.create.order.to_chargebee,
        ("order", "poweroffice"): tenant.create.order.to_poweroffice,
    }
    breaker = tenant.breaker
    return Policy(
        mode=tenant.effective_mode,
        undecided=bool(tenant.missing_decisions()),
        owner=dict(tenant.owner),
        create_off=frozenset(name for name, on in switches.items() if on is False),
        customers_in_scope=tenant.scope.customer,
        start_orders=tenant.start.orders.isoformat() if tenant.start.orders else None,
        order_source=tenant.order.source,
        takeover=tenant.order.takeover,
        price_to_chargebee=tenant.write.price.to_chargebee,
        delivery_date_to_chargebee=tenant.order.delivery_date.to_chargebee,
        first_link=tenant.first_link.differences,
        hold_first_backfill=tenant.breaker.first_backfill == "hold",
        removal={
            ("customer", "poweroffice"): tenant.delete.customer.to_poweroffice,
            ("customer", "chargebee"): tenant.delete.customer.to_chargebee,
            ("product", "poweroffice"): tenant.delete.product.to_poweroffice,
            ("product", "chargebee"): tenant.delete.product.to_chargebee,
            ("order", "poweroffice"): tenant.delete.order.to_poweroffice,
            ("order", "chargebee"): tenant.delete.order.to_chargebee,
        },
        confirm_on_delivered=tenant.invoicing.by == "poweroffice"
        and tenant.order.confirm == "on_delivered",
        line_drift=tenant.order.line_drift,
        breakers={
            "creates": (breaker.creates.at_least, breaker.creates.percent),
            "changes": (breaker.changes.at_least, breaker.changes.percent),
            "deletes": (breaker.deletes.at_least, breaker.deletes.percent),
            "money": (breaker.money.at_least, breaker.money.percent),
        },
        breaker_window_s=breaker.window_s,
        window=tenant.sink.window,
        invoicing_by=tenant.invoicing.by or "chargebee",
        order_paid=tenant.order.paid,
        imports_as_paid=tenant.order.import_status == "paid_offline",
        import_order_status=tenant.order.import_order_status,
        ledger_currency=tenant.ledger_currency,
    )
