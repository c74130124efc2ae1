"""What has to be right at a Go company before the first start: `python -m
services.poweroffice_adapter check TENANT`.

Nothing is written.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from contracts.checks import Checked, finding, not_checked, note, ok
from contracts.settings import PowerOfficeSettings, Settings, Tenant, variable
from runtime.checks import Seen, Steps, clock, impatient
from runtime.rate_limiter import RateLimiter
from runtime.transport import VendorTransport
from runtime.vendor import Refused, Unauthorised, VendorError
from services.poweroffice_adapter.client import PowerOfficeClient, Row, company_of
from services.poweroffice_adapter.mapping import value_at

KEYS, CLOCK, PRIVILEGES, GROUPS = "Go keys", "Go clock", "Go privileges", "Go product groups"
EXTENSIONS = "in Go (Settings, Extensions)"


@dataclass
class Company:
    """What GET /ClientIntegrationInformation says. `invalid`: privileges that are missing or lack
    their module."""

    id: str = ""
    name: str = ""
    valid: Collection[str] = ()
    invalid: Collection[str] = ()


@dataclass
class Found:
    """What the first check leaves for those after it."""

    company: Company = field(default_factory=Company)


async def check(name: str, settings: Settings) -> AsyncIterator[Checked]:
    """Every check of one tenant's Go company, in order."""
    tenant = settings.tenants[name]
    limiter, patience = (
        RateLimiter(tenant.poweroffice.requests_per_second, 1.0, burst=1.0),
        settings.console.patience,
    )
    transport, seen = impatient(limiter, patience=patience)
    try:
        async for result in checks(name, tenant, transport, seen, patience):
            yield result
    finally:
        await transport.aclose()


async def checks(
    name: str, tenant: Tenant, transport: VendorTransport, seen: Seen, patience: float = 1.0
) -> AsyncIterator[Checked]:
    """The same over connections of the caller's. What needs the keys is not tried without them."""
    client, found = PowerOfficeClient(tenant.poweroffice, transport), Found()
    steps = Steps(seen, partial(explain, name), patience)
    opened = await steps.take(
        KEYS, lambda: keys(name, tenant.poweroffice, transport, client, found)
    )
    for result in opened:
        yield result
    if seen.skew_s is not None:
        yield clock(CLOCK, seen, "PowerOffice Go")
    if any(each.state == "finding" for each in opened):
        for title in (PRIVILEGES, GROUPS):
            yield not_checked(title, "the keys do not open Go")
        return
    for result in privileges(tenant, found.company.valid, found.company.invalid):
        yield result
    if not _has("Product", found.company.valid):
        yield not_checked(GROUPS, "the privilege Product is missing")
        return
    for result in await steps.take(GROUPS, lambda: _listed_groups(name, tenant, client)):
        yield result


def explain(name: str, title: str, error: VendorError) -> Checked:
    """What a refusal or an outage means where no check knows better."""
    if isinstance(error, Refused | Unauthorised):
        return finding(
            title, f"Go refuses: {error}", f"look at tenants.{name}.poweroffice and at its keys"
        )
    fix = (
        f"look at the network of this machine and at the state of Go; are the addresses of "
        f"tenants.{name} right?"
    )
    return finding(title, f"Go cannot be used now: {error}", fix)


# -- keys


async def keys(
    name: str,
    settings: PowerOfficeSettings,
    transport: VendorTransport,
    client: PowerOfficeClient,
    found: Found,
) -> list[Checked]:
    """Whether the three keys open a company, and which."""
    try:
        found.company = await _company(client)
    except Unauthorised as error:
        return [await _refused(name, settings, transport, error)]
    company = found.company
    return [
        ok(
            KEYS,
            f"they open the company {company.name} (ClientId {company.id})",
            account=company.id,
        )
    ]


async def _company(client: PowerOfficeClient) -> Company:
    held = company_of(await client.get("/ClientIntegrationInformation"))
    return Company(
        str(held["clientid"]),
        str(held.get("clientname") or ""),
        _texts(held.get("validprivileges")),
        _texts(held.get("invalidprivileges")),
    )


def _texts(value: Any) -> frozenset[str]:
    return frozenset(map(str, value)) if isinstance(value, list) else frozenset()


async def _refused(
    name: str, settings: PowerOfficeSettings, transport: VendorTransport, error: Unauthorised
) -> Checked:
    own = f"tenants.{name}.poweroffice"
    pair = " and ".join(
        variable(("tenants", name, "poweroffice", f"{each}_key"))
        for each in ("application", "client")
    )
    if error.code == "token_http_401":
        third = variable(("tenants", name, "poweroffice", "subscription_key"))
        return finding(
            KEYS,
            "Go refuses the subscription key",
            f"put the key of the developer portal into {third}",
        )
    if error.code != "invalid_client":
        return finding(KEYS, f"Go refuses: {error}", f"look at the keys and addresses of {own}")
    words = "Go refuses the application key or the client key (invalid_client)"
    fix = f"put the keys of this company into {pair}; the client key is shown {EXTENSIONS}"
    if settings.environment is None:
        words += (
            "; they may also be of the other environment, since demo and production keys never mix"
        )
        return finding(KEYS, words, f"{fix}, or correct {own}.base_url and token_url")
    other = "production" if settings.environment == "demo" else "demo"
    if await _opens(settings, other, transport):
        words = (
            f"the application and client key are of Go's {other} environment, the settings say "
            f"{settings.environment}"
        )
        return finding(
            KEYS,
            words,
            f"set {own}.environment to {other}, or put keys of {settings.environment} into {pair}",
        )
    return finding(KEYS, f"{words}; the {other} environment does not take them either", fix)


async def _opens(
    settings: PowerOfficeSettings, environment: str, transport: VendorTransport
) -> bool:
    """Whether the keys are those of another environment; Go says invalid_client for keys of the
    other one."""
    there = settings.model_copy(update={"environment": environment})
    try:
        await PowerOfficeClient(there, transport).identity()
    except VendorError:
        return False
    return True


# -- privileges


@dataclass(frozen=True)
class Role:
    """A privilege by its claim in the token, and what Tandem needs it for."""

    name: str
    purpose: str
    only_orders: bool = False


ROLES = (
    Role("Customer", "to read customers"),
    Role("Customer_Full", "to create and change customers"),
    Role("Product", "to read products and their groups"),
    Role("Product_Full", "to create and change products"),
    Role("SalesOrders", "to read sales orders", only_orders=True),
    Role("SalesOrders_Full", "to create and change sales orders", only_orders=True),
    Role(
        "OutgoingInvoice",
        "to see what was sent; without it no order is created on either side",
        only_orders=True,
    ),
)


def privileges(tenant: Tenant, valid: Collection[str], invalid: Collection[str]) -> list[Checked]:
    """Each missing role. Those for orders matter only where orders are read at all
    (`start.orders`)."""
    missing = [role for role in ROLES if not _has(role.name, valid)]
    if not missing:
        return [ok(PRIVILEGES, f"all {len(ROLES)} are granted")]
    return [
        _missing(role, invalid, reads_orders=tenant.start.orders is not None) for role in missing
    ]


def _has(role: str, valid: Collection[str]) -> bool:
    return role in valid or f"{role}_Full" in valid


def _missing(role: Role, invalid: Collection[str], *, reads_orders: bool) -> Checked:
    scope = "needed for orders only" if role.only_orders else "required"
    listed = ", and Go lists it as invalid" if role.name in invalid else ""
    words = f"{role.name} is missing{listed}: {scope}, {role.purpose}"
    # A token keeps the privileges of its issue, for 20 minutes (developer portal, authentication).
    fix = (
        f"grant it to the integration {EXTENSIONS}, or add its module to the company; seen by "
        f"adapters in 20 min"
    )
    if role.only_orders and not reads_orders:
        return note(PRIVILEGES, f"{words}; start.orders is not set, so orders are not read", fix)
    return finding(PRIVILEGES, words, fix)


# -- product groups


async def _listed_groups(name: str, tenant: Tenant, client: PowerOfficeClient) -> list[Checked]:
    rows = [
        row async for _, page in client.pages("/ProductGroups", start=lambda: 0) for row in page
    ]
    return groups(name, tenant, rows)


def groups(name: str, tenant: Tenant, rows: Sequence[Row]) -> list[Checked]:
    """The groups of product.groups against those of Go (ProductGroupDto): each must exist and name
    a standard sales account, from which a product's VAT follows; without one lines of its products
    have no amounts, unless the company's general sales settings name an account, which the API does
    not tell."""
    wanted, by_code = (
        tenant.product.groups,
        {str(code): row for row in rows if (code := value_at(row, ("Code",)))},
    )
    if not wanted:
        words = "product.groups is empty, so no product can be created in Go"
        fix = f'add "<item family>" = "<group code>" to tenants.{name}.product.groups'
        return (
            [note(GROUPS, words, fix)]
            if tenant.create.product.to_poweroffice
            else [ok(GROUPS, "none is needed")]
        )
    results = [
        each
        for code in sorted(set(wanted.values()))
        for each in _of_group(name, code, wanted, by_code)
    ]
    return results or [
        ok(
            GROUPS,
            f"the {len(set(wanted.values()))} of the settings are there, with sales accounts",
        )
    ]


def _of_group(
    name: str, code: str, wanted: Mapping[str, str], by_code: Mapping[str, Row]
) -> list[Checked]:
    row = by_code.get(code)
    if row is None:
        families = ", ".join(
            repr(family) for family, each in sorted(wanted.items()) if each == code
        )
        known = ", ".join(sorted(by_code)[:10]) or "none"
        fix = f"correct tenants.{name}.product.groups (Go has: {known}), or create the group in Go"
        return [
            finding(
                GROUPS,
                f"Go has no product group {code!r}, which product.groups names for {families}",
                fix,
            )
        ]
    results = []
    if value_at(row, ("IsArchived",)) is True:
        results.append(
            note(
                GROUPS,
                f"the product group {code!r} is archived",
                "make it active, or name another one",
            )
        )
    if not _has_account(row, "StandardSalesAccount"):
        words = (
            f"the product group {code!r} has no sales account, so its products cannot be sold "
            f"with VAT"
        )
        fix = (
            "set its standard sales account in Go, even where the company's general sales "
            "settings name one"
        )
        results.append(finding(GROUPS, words, fix))
    elif not _has_account(row, "OptionalSalesAccount"):
        words = (
            f"the product group {code!r} has no optional sales account, which sales without "
            f"VAT take"
        )
        results.append(note(GROUPS, words, "set it in Go if you sell without VAT"))
    return results


def _has_account(row: Row, kind: str) -> bool:
    return any(value_at(row, (each,)) is not None for each in (kind, f"{kind}Id"))
