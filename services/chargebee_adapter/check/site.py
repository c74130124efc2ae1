"""What has to be right at a Chargebee site before the first start: `python -m
services.chargebee_adapter check TENANT`.

Nothing is changed: the one write goes to a customer that does not exist.
"""

import uuid
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from contracts.checks import Checked, finding, not_checked, note, ok
from contracts.settings import Settings, Tenant, variable
from runtime.checks import Seen, Steps, clock, impatient
from runtime.rate_limiter import RateLimiter
from runtime.vendor import NotFound, Refused, Unauthorised, VendorError
from services.chargebee_adapter.check import sales, webhooks
from services.chargebee_adapter.client import BURST, ChargebeeClient, account, locked, path

KEY, CLOCK, WRITES = "Chargebee site and key", "Chargebee clock", "Chargebee write access"
FAMILIES, ORDERS = "Chargebee item families", "Chargebee orders"
MAX_FAMILIES_ASKED = 25  # one request each; the checks share the rate with a running adapter


async def check(name: str, settings: Settings) -> AsyncIterator[Checked]:
    """Every check of one tenant's site and webhooks, in order."""
    tenant = settings.tenants[name]
    limiter = RateLimiter(tenant.chargebee.requests_per_minute, 60.0, BURST)
    transport, seen = impatient(limiter, locked=locked, patience=settings.console.patience)
    try:
        async for result in checks(
            name, settings, ChargebeeClient(tenant.chargebee, transport), seen
        ):
            yield result
    finally:
        await transport.aclose()


async def checks(
    name: str, settings: Settings, client: ChargebeeClient, seen: Seen
) -> AsyncIterator[Checked]:
    """The same with a client of the caller's. What needs the key is not tried without it."""
    tenant = settings.tenants[name]
    steps = Steps(seen, partial(explain, name, tenant), settings.console.patience)
    opened = await steps.take(KEY, lambda: site(name, tenant, client))
    for result in opened:
        yield result
    if seen.skew_s is not None:
        yield clock(CLOCK, seen, "Chargebee")
    usable = all(each.state != "finding" for each in opened)
    for title, work in (
        (WRITES, lambda: writes(name, tenant, client)),
        (FAMILIES, lambda: families(name, tenant, client)),
        (ORDERS, lambda: orders(tenant, client)),
        (sales.SALES, lambda: sales.sales(name, tenant, client)),
    ):
        for result in (
            await steps.take(title, work)
            if usable
            else [not_checked(title, "the site cannot be read")]
        ):
            yield result
    async for result in webhooks.checks(name, settings, client if usable else None, steps):
        yield result


def explain(name: str, tenant: Tenant, title: str, error: VendorError) -> Checked:
    """What a refusal or an outage means, and what to do about it (codes of the API's error
    table)."""
    at, held = account(tenant.chargebee), tenant.chargebee
    key, where = variable(("tenants", name, "chargebee", "api_key")), f"tenants.{name}.chargebee"
    code = error.code if isinstance(error, Unauthorised | Refused) else ""
    address = f"{where}.{'site' if held.site else 'base_url'}"
    match code:
        case "site_not_found":
            return finding(
                title,
                f"there is no Chargebee site {at}",
                f"correct {address}; test sites end in -test",
            )
        case "api_authentication_failed" | "basic_authentication_failed":
            words = (
                f"{at} refuses the API key: it is wrong, revoked, or of another site (test and "
                f"live differ)"
            )
            return finding(
                title, words, f"put a full-access key of this site into {key}, or correct {address}"
            )
        case "api_authorization_failed":
            words = f"the API key lacks the privilege ({error})"
            return finding(
                title, words, f"make a full-access key in Chargebee and put it into {key}"
            )
        case "request_blocked":
            return finding(
                title,
                f"{at} lets no request of this machine through",
                "allow its address in Chargebee",
            )
    if isinstance(error, Refused | Unauthorised):
        return finding(title, f"Chargebee refuses: {error}", f"look at the site, and at {where}")
    fix = f"look at the network of this machine and at the state of the site; is {address} right?"
    return finding(title, f"{at} cannot be used now: {error}", fix)


async def site(name: str, tenant: Tenant, client: ChargebeeClient) -> list[Checked]:
    """Whether the site answers, takes the key, and has Product Catalog 2.0, which GET
    /configurations tells."""
    await client.probe()
    at = account(tenant.chargebee)
    try:
        held = (await client.get("/configurations")).get("configurations")
    except Refused as error:
        return [
            ok(
                KEY,
                f"{at} answers and takes the key (its configuration is not told: {error})",
                account=at,
            )
        ]
    first: Mapping[str, Any] = (
        held[0] if isinstance(held, list) and held and isinstance(held[0], dict) else {}
    )
    if first.get("product_catalog_version") == "v1":
        words = (
            f"{at} has Product Catalog 1.0; Tandem reads items and item prices, which came with 2.0"
        )
        return [
            finding(
                KEY,
                words,
                "let Chargebee support move the site to Product Catalog 2.0, or take another site",
            )
        ]
    return [ok(KEY, f"{at} answers and takes the key", account=at)]


async def writes(name: str, tenant: Tenant, client: ChargebeeClient) -> list[Checked]:
    """Whether the key may write: an update of a customer that cannot exist is a 403 without the
    privilege, else a 404 (roles of API keys)."""
    nobody = f"tandem-check-{uuid.uuid4().hex}"
    try:
        await client.post("customer", path("customers", nobody), {})
    except NotFound:
        return [ok(WRITES, "the key may write")]
    except Unauthorised as error:
        if error.code != "api_authorization_failed":
            raise
        key = variable(("tenants", name, "chargebee", "api_key"))
        fix = f"make a full-access key in Chargebee (Settings, API Keys) and put it into {key}"
        return [finding(WRITES, "the API key may only read", fix)]
    return [note(WRITES, "Chargebee did not tell whether the key may write")]


async def families(name: str, tenant: Tenant, client: ChargebeeClient) -> list[Checked]:
    """Item families against product.groups, which Go needs to know account and VAT of a product it
    is to create."""
    listed = await client.all("item_family", "/item_families")
    there = sorted(str(each.get("id")) for each in listed if each.get("status") != "deleted")
    groups, own = tenant.product.groups, tenant.chargebee.item_family
    results = [_unknown(name, family, there) for family in sorted(groups) if family not in there]
    if tenant.create.product.to_poweroffice:
        without = [family for family in there if family not in groups and family != own]
        asked = without[:MAX_FAMILIES_ASKED]
        results += [_ungrouped(name, family) for family in asked if await _in_use(client, family)]
        if len(without) > len(asked):
            words = (
                f"{len(without)} families have no product group; whether they are in use was "
                f"asked for {len(asked)}"
            )
            results.append(note(FAMILIES, words))
    if not results:
        results.append(ok(FAMILIES, f"{len(there)} on the site; all in use have a product group"))
    if own not in there and tenant.create.product.to_chargebee:
        results.append(
            note(
                FAMILIES,
                f"{own!r} is not there yet; it is created with the first product born in Go",
            )
        )
    return results


async def _in_use(client: ChargebeeClient, family: str) -> bool:
    query = {"item_family_id[is]": family, "status[is]": "active", "limit": "1"}
    return bool((await client.get("/items", query)).get("list"))


def _unknown(name: str, family: str, there: list[str]) -> Checked:
    known = ", ".join(there[:10]) or "none"
    fix = (
        f"correct it in tenants.{name}.product.groups (on the site: {known}), or create the "
        f"family in Chargebee"
    )
    return finding(
        FAMILIES,
        f"product.groups names the item family {family!r}, which the site does not have",
        fix,
    )


def _ungrouped(name: str, family: str) -> Checked:
    words = (
        f"the item family {family!r} is in use and has no product group: its products cannot "
        f"be created in Go"
    )
    return finding(
        FAMILIES,
        words,
        f'add "{family}" = "<code of a Go product group>" to tenants.{name}.product.groups',
    )


async def orders(tenant: Tenant, client: ChargebeeClient) -> list[Checked]:
    """Whether Orders are enabled on the site, without which neither reading nor importing them
    works."""
    create = tenant.create.order
    by_orders = tenant.start.orders is not None and tenant.order.source == "orders"
    needed = by_orders and (create.to_poweroffice or create.to_chargebee is True)
    try:
        await client.get("/orders", {"limit": "1"})
    except Refused as error:
        words = f"Orders are not enabled on the site ({error})"
        if not needed:
            return [note(ORDERS, f"{words}; these settings do not need them")]
        fix = (
            "enable them in Chargebee (Settings, Configure Chargebee, Orders), or set order.source "
            "to invoices, or "
            "create.order.* to off"
        )
        return [finding(ORDERS, words, fix)]
    return [ok(ORDERS, "Orders are enabled on the site")]
