"""The settings of one installation: a TOML file under the environment, checked whole before
anything starts.

`load` reads `tandem.toml` (or the file that `TANDEM_CONFIG` names) and lays variables `TANDEM_...`
over it, nested with a double underscore. Secrets come from the environment only, as the value or as
`..._FILE`, the path of a file that holds it; a vendor's keys are read by those who need them only.
Whatever is wrong ends in one `SettingsError`, a line per fault, never a value.
"""

from contracts.settings.installation import (
    ConsoleSettings,
    KafkaSettings,
    LogSettings,
    PortSettings,
    ReachSettings,
)
from contracts.settings.keys import Key, dotted, every_key, variable
from contracts.settings.models import Settings, Tenant
from contracts.settings.policies import (
    BreakerSettings,
    CountrySettings,
    CreateOrderSettings,
    CreatePolicies,
    CreateSettings,
    DeleteCustomerSettings,
    DeleteOrderSettings,
    DeletePolicies,
    DeleteProductSettings,
    DeliveryDateSettings,
    FirstLinkSettings,
    ImportSettings,
    InvoicingSettings,
    OrderSettings,
    ProductSettings,
    ScopeSettings,
    SinkSettings,
    StartSettings,
    WritePolicies,
    WritePriceSettings,
)
from contracts.settings.reader import Fault, SettingsError, load
from contracts.settings.values import (
    CONFIG_VARIABLE,
    DECISIONS,
    DEFAULT_FILE,
    EXAMPLE_FILE,
    NOT_HELD,
    PREFIX,
    Mode,
)
from contracts.settings.vendors import ChargebeeSettings, PowerOfficeSettings

__all__ = [
    "CONFIG_VARIABLE",
    "DECISIONS",
    "DEFAULT_FILE",
    "EXAMPLE_FILE",
    "NOT_HELD",
    "PREFIX",
    "BreakerSettings",
    "ChargebeeSettings",
    "ConsoleSettings",
    "CountrySettings",
    "CreateOrderSettings",
    "CreatePolicies",
    "CreateSettings",
    "DeleteCustomerSettings",
    "DeleteOrderSettings",
    "DeletePolicies",
    "DeleteProductSettings",
    "DeliveryDateSettings",
    "Fault",
    "FirstLinkSettings",
    "ImportSettings",
    "InvoicingSettings",
    "KafkaSettings",
    "Key",
    "LogSettings",
    "Mode",
    "OrderSettings",
    "PortSettings",
    "PowerOfficeSettings",
    "ProductSettings",
    "ReachSettings",
    "ScopeSettings",
    "Settings",
    "SettingsError",
    "SinkSettings",
    "StartSettings",
    "Tenant",
    "WritePolicies",
    "WritePriceSettings",
    "dotted",
    "every_key",
    "load",
    "variable",
]
