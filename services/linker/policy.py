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
    return Policy(
        mode=tenant.effective_mode,
        undecided=bool(tenant.missing_decisions()),
        owner=dict(tenant.owner),
        create_off=frozenset(name for name, on in switches.items() if on is False),
        customers_in_scope=tenant.scope.customer,
        start_orders=tenant.start.orders.isoformat() if tenant.start.orders else None,
        takeover=tenant.order.takeover,
        price_to_chargebee=tenant.write.price.to_chargebee,
        delivery_date_to_chargebee=tenant.order.delivery_date.to_chargebee,
        first_link=tenant.first_link.differences,
        hold_first_backfill=tenant.breaker.first_backfill == "hold",
        window=tenant.sink.window,
    )


def without_effect(tenant: Tenant) -> list[str]:
    """Settings of a tenant that ask for something this version does not do, each in words."""
    asked = {
        "order.confirm = on_delivered": tenant.order.confirm == "on_delivered",
        "order.line_drift = restore": tenant.order.line_drift == "restore",
        "delete.customer.to_poweroffice = archive": tenant.delete.customer.to_poweroffice == "archive",
        "delete.order.to_poweroffice = remove_draft": tenant.delete.order.to_poweroffice == "remove_draft",
        "breaker.creates, .changes, .deletes": True,
    }
    return [f"{name} has no effect yet" for name, is_asked in asked.items() if is_asked]
