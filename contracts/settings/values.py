"""The kinds of values that settings have, each checked with words that name the fix."""

import difflib
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, NoReturn
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
)
from pydantic_core import PydanticCustomError

from contracts.entities import ENTITIES, ENTITY_TYPES, FIELDS, EntityName, System, field_of
from contracts.units import is_currency

PREFIX = "TANDEM_"
CONFIG_VARIABLE = "TANDEM_CONFIG"
DEFAULT_FILE = "tandem.toml"
EXAMPLE_FILE = "tandem.example.toml"
NOT_HELD = SecretStr("")  # stands for a vendor's key that this process was not given
DECISIONS = ("invoicing.by", "start.orders", "create.order.to_chargebee", "chargebee.prices")

Mode = Literal["observe", "sync"]
ReportOrArchive = Literal["report", "archive"]


def contradiction(*faults: tuple[str, ...]) -> NoReturn:
    """Refuse a table: each fault is (key in the table, what is wrong[, the fix])."""
    words = "; ".join(f"{key} {wrong}" for key, wrong, *_ in faults)
    raise PydanticCustomError("tandem_faults", words, {"faults": faults})  # type: ignore[arg-type,unused-ignore]


def must(accepts: Callable[[Any], object], words: str) -> AfterValidator:
    def check(value: Any) -> Any:
        if not accepts(value):
            raise PydanticCustomError("tandem", words)  # type: ignore[arg-type,unused-ignore]
        return value

    return AfterValidator(check)


def matches(pattern: str, words: str) -> AfterValidator:
    return must(re.compile(pattern).fullmatch, words)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return False
    # A password in an address would be printed with it.
    plain = not ("@" in url.netloc or url.query or url.fragment)
    return url.scheme in ("http", "https") and bool(url.hostname) and plain


def _is_page(text: str) -> bool:
    bare = text.replace("{id}", "")
    return text.count("{id}") == 1 and not {*"{}"} & {*bare} and _is_plain_page(bare)


def _is_plain_page(text: str) -> bool:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.hostname) and "@" not in url.netloc


def _are_brokers(text: str) -> bool:
    for broker in text.split(","):
        found = re.fullmatch(
            r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?", broker.strip(), re.ASCII
        )
        if found is None or not 0 < int(found[1] or 9092) <= 65535:
            return False
    return True


def _slot(value: Any) -> Any:
    """`i/n` as (i, n), with 0 <= i < n."""
    if isinstance(value, str):
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", value.strip(), re.ASCII)
        value = (int(found[1]), int(found[2])) if found else None
    match value:
        case [int(i), int(n)] if 0 <= i < n:
            return (i, n)
    raise PydanticCustomError(
        "tandem", "must be i/n with 0 <= i < n, such as 0/1 for the only process"
    )


def _quoted_owner_keys(value: Any) -> Any:
    if isinstance(value, dict):
        nested = [
            (key, name) for key, inner in value.items() if isinstance(inner, dict) for name in inner
        ]
        if nested:
            fix = 'write the key in quotes, such as "customer.email" = "poweroffice"'
            contradiction(
                *((f"{key}.{name}", "is an unquoted key with a dot", fix) for key, name in nested)
            )
    return value


def _known_owner_keys(value: dict[str, System]) -> dict[str, System]:
    read = [
        f"{entity}.{name}"
        for entity in ENTITIES
        for name in FIELDS[entity]
        if not field_of(entity, name).once
    ]
    known = [*ENTITIES, *read]
    faults = [(key, unowned(key), did_you_mean(key, known)) for key in value if key not in known]
    if faults:
        contradiction(*faults)
    return value


def unowned(key: str) -> str:
    """Why nothing asks who owns this."""
    for entity, kind in ENTITY_TYPES.items():
        name = key.removeprefix(f"{entity}.")
        if name == key or name not in kind.__struct_fields__:
            continue
        if field_of(entity, name).once:
            return "is written when a record is created and never afterwards, so nobody wins it"
        return "is kept by each system for itself, so nobody wins it"
    return "is no entity or field"


def did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word.lower(), known, n=1)
    return f"did you mean {close[0]}?" if close else f"remove it; known here: {', '.join(known)}"


TenantName = Annotated[
    str, matches(r"[a-z0-9_]{1,32}", "tenant names are 1 to 32 of a-z, 0-9 and _")
]
Address = Annotated[
    str,
    must(_is_address, "must be an http or https address without user, password, query or fragment"),
    AfterValidator(lambda text: text.rstrip("/")),
]
Pages = dict[
    EntityName,
    Annotated[
        str,
        must(
            _is_page,
            "must be an http or https address without user or password, with {id} once in place of "
            "the record's id, such as https://example.com/customers/{id}",
        ),
    ],
]
Zone = Annotated[str, must(_is_zone, "must be an IANA time zone, such as Europe/Oslo")]
Currency = Annotated[
    str,
    must(
        lambda code: code.isupper() and is_currency(code),
        "must be an ISO 4217 code of three capitals, such as NOK",
    ),
]
Country = Annotated[
    str, matches(r"[A-Z]{2}", "must be an ISO 3166 code of two capitals, such as NO")
]
Site = Annotated[
    str,
    matches(
        r"[A-Za-z0-9][A-Za-z0-9-]*", "must be the site's name only, the part before .chargebee.com"
    ),
]
Brokers = Annotated[
    str,
    must(
        _are_brokers, "must be host:port, several with commas between them, such as 127.0.0.1:9092"
    ),
]
HostName = Annotated[
    str, matches(r"[A-Za-z0-9._-]{1,253}", "must be a host name or an IPv4 address, without port")
]
TopicPrefix = Annotated[
    str, matches(r"[A-Za-z0-9._-]{0,100}", "must be letters, digits, dot, dash, underscore")
]
VatRate = Annotated[
    Decimal, must(lambda rate: 0 <= rate < 1, "must be a fraction: 0.25 stands for 25 %")
]
Slot = Annotated[tuple[int, int], BeforeValidator(_slot)]
Owner = Literal["chargebee", "poweroffice", "ask"]
Owners = Annotated[
    dict[str, Owner], BeforeValidator(_quoted_owner_keys), AfterValidator(_known_owner_keys)
]
Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
MessageBytes = Annotated[int, Field(ge=20_000, le=64 * 1024 * 1024)]
Positive = Annotated[float, Field(gt=0)]
Seconds = Annotated[float, Field(ge=0)]
