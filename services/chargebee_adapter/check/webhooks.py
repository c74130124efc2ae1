"""Whether webhooks arrive: what the running adapter answers, what the site lists, and how its
newest events fared."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families

from contracts.checks import Checked, finding, not_checked, note, ok
from contracts.settings import ChargebeeSettings, Settings, variable
from runtime.checks import Steps, service_url
from runtime.vendor import Refused, Unauthorised
from services.chargebee_adapter.client import ChargebeeClient, Raw
from services.chargebee_adapter.webhooks import CHECK_HEADER, REALM

RECEIVER, ENDPOINT, DELIVERY = "webhook receiver", "webhook in Chargebee", "webhook delivery"
START = "python -m services.chargebee_adapter"
ANSWER_S = 7.0  # the receiver gives its own work 5 s
SETTLED_S = 5.0  # between the start of the process and its first answer
EVENTS_READ = 20
DELIVERED, UNDELIVERED = "succeeded", ("re_scheduled", "failed")


@dataclass
class Receiver:
    """What the running adapter shows. `counts`: webhooks it answered by status, checks left out;
    `started_s`: when its process began, UTC seconds."""

    counts: dict[str, int] = field(default_factory=dict)
    started_s: float = 0.0


async def checks(
    name: str, settings: Settings, client: ChargebeeClient | None, steps: Steps
) -> AsyncIterator[Checked]:
    """The three checks of a tenant's webhooks; `client` is None where the site cannot be read."""
    found: list[Receiver] = []
    for result in await steps.take(RECEIVER, lambda: receiver(name, settings, found)):
        yield result
    if client is None:
        for title in (ENDPOINT, DELIVERY):
            yield not_checked(title, "the site cannot be read")
        return
    ids: list[str] = []
    for result in await steps.take(
        ENDPOINT, lambda: endpoint(name, settings.tenants[name].chargebee, client, ids)
    ):
        yield result
    if not has_credentials(settings.tenants[name].chargebee):
        return
    if not found:
        yield not_checked(DELIVERY, "the adapter does not take webhooks")
        return
    for result in await steps.take(DELIVERY, lambda: delivery(name, client, ids, found[0])):
        yield result


def has_credentials(held: ChargebeeSettings) -> bool:
    """Both or none, as the settings see to."""
    return held.webhook_username is not None and held.webhook_password is not None


def our_path(name: str) -> str:
    """Where the adapter takes a tenant's webhooks."""
    return f"/webhooks/chargebee/{name}"


def _variables(name: str) -> str:
    user, password = (
        variable(("tenants", name, "chargebee", f"webhook_{part}"))
        for part in ("username", "password")
    )
    return f"{user} and {password}"


# -- the receiver on this machine


async def receiver(name: str, settings: Settings, found: list[Receiver]) -> list[Checked]:
    """Whether the adapter answers on its port, refuses a webhook without credentials, and takes the
    configured ones. What it shows is put into `found` when it does."""
    held, port = settings.tenants[name].chargebee, settings.ports.chargebee_adapter
    if not has_credentials(held):
        words = (
            f"no credentials are set, so webhooks are refused; events are read every "
            f"{held.events_interval_s:.0f} s"
        )
        return [note(RECEIVER, words, f"for changes within a second set {_variables(name)}")]
    if port == 0:
        return [not_checked(RECEIVER, "ports.chargebee_adapter is 0, a free port at each start")]
    base = service_url(settings, "chargebee_adapter")
    async with httpx.AsyncClient(
        trust_env=False, timeout=ANSWER_S * settings.console.patience
    ) as http:
        try:
            results = await _asked(name, held, base, http)
            if results[0].state == "ok":
                found.append(await _shown(name, base, http))
        except httpx.TransportError:
            return [not_checked(RECEIVER, f"the adapter does not answer on {base}")]
    return results


async def _asked(
    name: str, held: ChargebeeSettings, base: str, http: httpx.AsyncClient
) -> list[Checked]:
    url, mark = base + our_path(name), {CHECK_HEADER: "1"}
    bare = await http.post(url, content=b"{}", headers=mark)
    if bare.status_code != 401 or REALM not in bare.headers.get("www-authenticate", ""):
        words = f"what answers on {base} is not the Chargebee adapter (it says {bare.status_code})"
        return [finding(RECEIVER, words, "end the other program, or set ports.chargebee_adapter")]
    signed = await http.post(url, content=b"{}", headers=mark, auth=_basic(held))
    if signed.status_code == 401 and not (await _shown(name, base, http)).counts:
        # Its answer does not say so, but it counts requests by the tenants that it serves.
        words = (
            f"the adapter on {base} does not serve {name}: it was started with other settings, "
            f"or for another slot"
        )
        return [finding(RECEIVER, words, f"start it again with these settings: {START}")]
    if signed.status_code == 401:
        words = "the running adapter has another webhook user name or password than these settings"
        return [finding(RECEIVER, words, f"start it again with these settings: {START}")]
    return [ok(RECEIVER, f"{url} takes the configured user name and password, and refuses others")]


def _basic(held: ChargebeeSettings) -> httpx.BasicAuth:
    user, password = (
        "" if part is None else part.get_secret_value()
        for part in (held.webhook_username, held.webhook_password)
    )
    return httpx.BasicAuth(user, password)


async def _shown(name: str, base: str, http: httpx.AsyncClient) -> Receiver:
    answer, shown = await http.get(f"{base}/metrics"), Receiver()
    try:
        samples = [
            each
            for family in text_string_to_metric_families(answer.text)
            for each in family.samples
        ]
    except ValueError:
        return shown
    for sample in samples:
        if sample.name == "process_start_time_seconds":
            shown.started_s = sample.value
        elif sample.name == "tandem_webhooks_total" and sample.labels.get("tenant") == name:
            shown.counts[sample.labels.get("status", "")] = int(sample.value)
    return shown


# -- what the site says


async def endpoint(
    name: str, held: ChargebeeSettings, client: ChargebeeClient, ids: list[str]
) -> list[Checked]:
    """Whether an endpoint of the site leads to this tenant's path and is enabled; the ids of those
    that do are put into `ids`. Other addresses are not told, since they may hold a secret."""
    wanted = our_path(name)
    try:
        listed = await client.all("webhook_endpoint", "/webhook_endpoints")
    except (Refused, Unauthorised) as error:
        look = f"look there (Settings, Webhooks): one must lead to https://<your proxy>{wanted}"
        return [note(ENDPOINT, f"Chargebee does not let its webhooks be listed ({error})", look)]
    ours = [
        each
        for each in listed
        if urlsplit(str(each.get("url") or "")).path.rstrip("/").endswith(wanted)
    ]
    ids.extend(str(each.get("id")) for each in ours)
    return [_of_ours(name, held, ours, len(listed))]


def _of_ours(name: str, held: ChargebeeSettings, ours: Sequence[Raw], listed: int) -> Checked:
    wanted, enabled = our_path(name), [each for each in ours if not each.get("disabled")]
    if not has_credentials(held):
        if not enabled:
            return note(ENDPOINT, "none leads here, and none is expected without credentials")
        fix = f"set {_variables(name)} to what the webhook sends, or remove the webhook"
        return finding(
            ENDPOINT,
            f"one leads to {wanted}, but without credentials in the settings it is refused",
            fix,
        )
    if not ours:
        fix = (
            f"add one (Settings, Webhooks): https://<your proxy>{wanted}, basic auth, all "
            f"events, API version 2"
        )
        return finding(ENDPOINT, f"of {listed} webhooks of the site none leads to {wanted}", fix)
    if not enabled:
        return finding(
            ENDPOINT,
            f"the one that leads to {wanted} is disabled",
            "enable it (Settings, Webhooks)",
        )
    if all(each.get("api_version") == "v1" for each in enabled):
        return finding(
            ENDPOINT,
            f"the one that leads to {wanted} sends API version 1",
            "set it to API version 2",
        )
    return ok(ENDPOINT, f"one leads to {wanted} and is enabled")


async def delivery(
    name: str, client: ChargebeeClient, ids: Sequence[str], shown: Receiver
) -> list[Checked]:
    """Whether the newest events since the adapter's start were delivered. An event tells the status
    of each delivery, never why; why, the running adapter has counted."""
    query = {"limit": str(EVENTS_READ), "sort_by[desc]": "occurred_at"}
    listed = (await client.get("/events", query)).get("list") or []
    events = [
        each["event"]
        for each in listed
        if isinstance(each, dict) and isinstance(each.get("event"), dict)
    ]
    since = [
        each for each in events if _number(each.get("occurred_at")) >= shown.started_s + SETTLED_S
    ]
    statuses = [status for event in since for status in _statuses(event, ids)]
    decided = [status for status in statuses if status == DELIVERED or status in UNDELIVERED]
    if not decided:
        look = "edit a record in Chargebee by hand, then ask again"
        return [note(DELIVERY, "no webhook was due since the adapter started", look)]
    if decided[0] == DELIVERED:
        return [ok(DELIVERY, "the newest webhook was delivered")]
    return [_undelivered(name, sum(each in UNDELIVERED for each in decided), len(decided), shown)]


def _undelivered(name: str, failed: int, of: int, shown: Receiver) -> Checked:
    words = f"{failed} of the newest {of} webhooks since the adapter started were not delivered"
    if refused := shown.counts.get("401", 0):
        fix = (
            f"set the basic auth of the webhook in Chargebee (Settings, Webhooks) to what "
            f"{_variables(name)} hold"
        )
        words += (
            f", and the adapter refused {refused}: Chargebee sends another user name or password"
        )
        return finding(DELIVERY, words, fix)
    others = {
        status: count
        for status, count in shown.counts.items()
        if status.isdigit() and status != "200"
    }
    if others:
        told = ", ".join(f"{count} x {status}" for status, count in sorted(others.items()))
        return finding(
            DELIVERY, f"{words}; the adapter answered {told}", "its log says why (webhook.refused)"
        )
    fix = (
        "check the address in Chargebee, its name and certificate, and the proxy in front of "
        "the adapter"
    )
    return finding(
        DELIVERY, f"{words}, and the adapter saw none of them: the address is not reachable", fix
    )


def _statuses(event: Raw, ids: Sequence[str]) -> list[str]:
    entries = event.get("webhooks")
    held = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    return [str(each.get("webhook_status")) for each in held if not ids or each.get("id") in ids]


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
