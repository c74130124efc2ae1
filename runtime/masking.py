"""Our own secrets do not get into what is kept: words of vendors, reasons and log lines pass
through `masked`.

What stands in front of a vendor, or the vendor itself, may repeat a request in its answer, keys
included; such words would go on into dead letters, the journal, the health on Kafka and the logs.
What is a secret is told once, to the process: by the settings it was started with, and by the
clients for the tokens they fetch.
"""

import base64
import re
from collections import deque
from collections.abc import Iterator
from urllib.parse import quote

from pydantic import SecretStr

from contracts.settings import ChargebeeSettings, PowerOfficeSettings, Settings

MASK = "[masked]"
SHORTEST = 8  # characters; a shorter one would be found in ordinary words
CORE = 8  # characters of base64 that are no chance
TOKENS = 1000  # the newest that are remembered, of all tenants
# A pair or a token that we do not know any more, or that was cut.
_CREDENTIALS = re.compile(r"\b(Basic|Bearer)(\s+|%20|\+)[A-Za-z0-9+/_.~=\\-]{20,}", re.IGNORECASE)

_told: set[str] = set()
_lasting: dict[str, None] = {}
_passing: deque[str] = deque(maxlen=TOKENS)


def hide_settings(settings: Settings) -> None:
    """Mask all secrets of an installation from now on. The user name of webhooks is none."""
    hide(settings.kafka.sasl_password)
    hide(settings.console.token)
    for tenant in settings.tenants.values():
        hide_chargebee(tenant.chargebee)
        hide_go(tenant.poweroffice)


def hide_chargebee(held: ChargebeeSettings) -> None:
    """Mask the API key and the webhook's password, also as they stand in a Basic header."""
    hide(held.api_key, held.webhook_password)
    _hide_pair(held.api_key, SecretStr(""))
    if held.webhook_username is not None and held.webhook_password is not None:
        _hide_pair(held.webhook_username, held.webhook_password)


def hide_go(held: PowerOfficeSettings) -> None:
    """Mask the three keys of PowerOffice Go, also as they stand in a Basic header."""
    hide(held.application_key, held.client_key, held.subscription_key)
    _hide_pair(held.application_key, held.client_key)


def hide(*secrets: SecretStr | None) -> None:
    """Mask these from now on."""
    for secret in secrets:
        if secret is not None and (value := secret.get_secret_value()) not in _told:
            _told.add(value)
            _lasting.update(dict.fromkeys(_forms(value)))


def hide_token(token: str) -> None:
    """Mask a token from now on, until TOKENS newer ones are known."""
    if len(token) >= SHORTEST and token not in _passing:
        _passing.append(token)


def masked(text: str) -> str:
    """The text without our secrets; to be called before it is cut, since a part of one is not
    found."""
    for secret in (*_lasting, *_passing):
        if secret in text:
            text = text.replace(secret, MASK)
    return _CREDENTIALS.sub(rf"\1 {MASK}", text)


def _hide_pair(user: SecretStr, password: SecretStr) -> None:
    hide(SecretStr(f"{user.get_secret_value()}:{password.get_secret_value()}"))


def _forms(secret: str) -> Iterator[str]:
    """As it is, percent-encoded, and in base64; the longest first, so that no end of one is
    left."""
    plain = secret if len(secret) >= SHORTEST else ""
    forms = {plain, quote(plain, safe="", errors="surrogatepass")}
    for core in _base64_cores(secret.encode("utf-8", "surrogatepass")):
        forms |= {
            core,
            core.translate(str.maketrans("+/", "-_")),
            core.replace("/", "\\/"),
            quote(core, safe=""),
        }
    return iter(sorted(filter(None, forms), key=len, reverse=True))


def _base64_cores(secret: bytes) -> Iterator[str]:
    """The characters that base64 has for these bytes whatever stands before and after them: one
    text for each place that they may begin at in a group of three."""
    whole = base64.b64encode(secret).decode()
    if len(whole) >= CORE:
        yield whole
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret).decode()
        core = encoded[(0, 2, 3)[before] : (before + len(secret)) * 4 // 3]
        if len(core) >= CORE:
            yield core
