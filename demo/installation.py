"""What the demo's processes are told: ports, keys, the settings file and the environment."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.ports import HOST, HeldPort, hold_one
from runtime.private import open_private

TENANT = "demo"
PERSON = "person"
GROUPS = ("abonnement", "tillegg", "varer")
POLL_S, SWEEP_S, READ_LAG_S = 0.5, 5.0, 0.2
CHARGEBEE_PER_MINUTE, GO_PER_S = 1000, 10
INTERVALS = (
    f"Go is polled every {POLL_S} s and swept every {SWEEP_S:.0f} s; Chargebee's lists are "
    f"current.",
    f"Limits: {CHARGEBEE_PER_MINUTE} calls/min in Chargebee, {GO_PER_S}/s in Go. First creations "
    f"are released.",
)

# The default port of each listener, as in `contracts.settings` and the simulators.
DEFAULT_PORTS: Mapping[str, int] = {
    "kafka": 9092,
    "controller": 9093,
    "chargebee_adapter": 8081,
    "poweroffice_adapter": 8082,
    "linker": 8083,
    "console": 8080,
    "chargebee": 8701,
    "poweroffice": 8702,
}


def hold_ports() -> dict[str, HeldPort]:
    """Each default port where it is free, else some free one; they stay ours until the processes
    have them. Raises PortTaken when there is none."""
    return {name: hold_one((preferred,)) for name, preferred in DEFAULT_PORTS.items()}


def _key(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


@dataclass(frozen=True)
class GoKeys:
    """One set of PowerOffice Go keys."""

    application: str = field(default_factory=lambda: _key("app"))
    client: str = field(default_factory=lambda: _key("client"))
    subscription: str = field(default_factory=lambda: _key("sub"))


@dataclass(frozen=True)
class Installation:
    """Everything that is decided before the first process starts. `source` is `order.source`; with
    invoices the site sells no goods and has no orders. `person_...` are the keys of somebody else
    who works in both systems at the same time; nothing of Tandem uses them."""

    data_dir: Path
    source: str = "orders"
    held: Mapping[str, HeldPort] = field(default_factory=hold_ports)
    chargebee_key: str = field(default_factory=lambda: _key("test"))
    person_chargebee_key: str = field(default_factory=lambda: _key("test"))
    go: GoKeys = field(default_factory=GoKeys)
    person_go: GoKeys = field(default_factory=GoKeys)
    webhook_password: str = field(default_factory=lambda: _key("hook"))
    console_token: str = field(default_factory=lambda: _key("see"))

    @property
    def ports(self) -> dict[str, int]:
        """The port of each listener."""
        return {name: held.number for name, held in self.held.items()}

    def url(self, name: str) -> str:
        """The address of one of our HTTP listeners."""
        return f"http://{HOST}:{self.ports[name]}"

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.ports['kafka']}"

    @property
    def config_path(self) -> Path:
        return self.data_dir / "tandem.toml"

    @property
    def env_path(self) -> Path:
        return self.data_dir / "demo.env"

    def toml(self) -> str:
        """The settings file, with the four decisions made and every interval short."""
        groups = "".join(f'{name} = "{name}"\n' for name in GROUPS)
        sales = f'order.source = "{self.source}"' if self.source != "orders" else ""
        return f"""\
[kafka]
bootstrap = "{self.bootstrap}"

[ports]
console = {self.ports["console"]}
chargebee_adapter = {self.ports["chargebee_adapter"]}
poweroffice_adapter = {self.ports["poweroffice_adapter"]}
linker = {self.ports["linker"]}

[log]
format = "json"

[console]
data = "{self.data_dir / "console"}"

[tenants.{TENANT}]
mode = "sync"
invoicing.by = "chargebee"
start.orders = 2026-01-01
create.order.to_chargebee = "on"
{sales}
breaker.first_backfill = "release"
chargebee.prices = "net"
chargebee.base_url = "{self.url("chargebee")}/api/v2"
chargebee.requests_per_minute = {CHARGEBEE_PER_MINUTE}
chargebee.list_lag_s = 0
chargebee.pages.customer = "{self.url("chargebee")}/customers/{{id}}"
poweroffice.pages.customer = "{self.url("poweroffice")}/Customers/{{id}}"
poweroffice.base_url = "{self.url("poweroffice")}/v2"
poweroffice.token_url = "{self.url("poweroffice")}/OAuth/Token"
poweroffice.requests_per_second = {GO_PER_S}
poweroffice.poll_min_s = {POLL_S}
poweroffice.poll_max_s = {POLL_S}
poweroffice.sweep_s = {SWEEP_S}
poweroffice.read_lag_s = {READ_LAG_S}

[tenants.{TENANT}.product.groups]
{groups}"""

    def environment(self) -> dict[str, str]:
        """The variables that every service needs: where the settings are, and the secrets."""
        prefix = f"TANDEM_TENANTS__{TENANT.upper()}__"
        return {
            "TANDEM_CONFIG": str(self.config_path),
            "TANDEM_CONSOLE__TOKEN": self.console_token,
            f"{prefix}CHARGEBEE__API_KEY": self.chargebee_key,
            f"{prefix}CHARGEBEE__WEBHOOK_USERNAME": "chargebee",
            f"{prefix}CHARGEBEE__WEBHOOK_PASSWORD": self.webhook_password,
            f"{prefix}POWEROFFICE__APPLICATION_KEY": self.go.application,
            f"{prefix}POWEROFFICE__CLIENT_KEY": self.go.client,
            f"{prefix}POWEROFFICE__SUBSCRIPTION_KEY": self.go.subscription,
        }

    def write(self) -> None:
        """Write the settings file, and the environment to be sourced by a shell, readable by the
        owner only."""
        lines = (f"export {name}='{value}'\n" for name, value in self.environment().items())
        for path, text in ((self.config_path, self.toml()), (self.env_path, "".join(lines))):
            with open_private(path) as file:
                file.write(text)

    def simulators(self) -> dict[str, list[str]]:
        """Arguments after `python -m simulators.<name>`."""
        person = ":".join(
            (self.person_go.application, self.person_go.client, self.person_go.subscription)
        )
        return {
            "chargebee": [
                "--port",
                str(self.ports["chargebee"]),
                "--api-key",
                self.chargebee_key,
                "--extra-api-key",
                f"{PERSON}={self.person_chargebee_key}",
                "--rate-limit",
                str(CHARGEBEE_PER_MINUTE),
                "--data",
                "saas" if self.source == "invoices" else "demo",
                "--webhook-url",
                f"{self.url('chargebee_adapter')}/webhooks/chargebee/{TENANT}",
                "--webhook-username",
                "chargebee",
                "--webhook-password",
                self.webhook_password,
            ],
            "poweroffice": [
                "--port",
                str(self.ports["poweroffice"]),
                "--application-key",
                self.go.application,
                "--client-key",
                self.go.client,
                "--subscription-key",
                self.go.subscription,
                "--extra-client",
                f"{PERSON}={person}",
                "--rate-limit",
                str(GO_PER_S),
                "--data",
                "demo",
            ],
        }
