"""Field kinds: how the text of a parameter becomes a value, with the vendor's length limits and
enumerations."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from simulators.chargebee.errors import ApiError, wrong_value
from simulators.chargebee.params import Nested, json_object, sub

Kind = Callable[[str], Any]
"""Text -> value; raises ValueError with the words for the error message."""
Fields = Mapping[str, Kind]

CURRENCIES: Final = ("NOK", "EUR", "SEK", "USD", "JPY")
BASE_CURRENCY: Final = "NOK"

_COUNTRY_CODES: Final = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY "
    "BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER "
    "ES ET FI FJ FK "
    "FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL "
    "IM IN IO IQ IR "
    "IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD "
    "ME MF MG MH MK "
    "ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF "
    "PG PH PK PL PM "
    "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX "
    "SY SZ TC TD TF "
    "TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XI YE YT "
    "ZA ZM ZW"
)
_COUNTRIES: Final = frozenset(_COUNTRY_CODES.split())
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def text(limit: int) -> Kind:
    """At most `limit` characters; surrounding blanks are trimmed."""

    def parse(value: str) -> str:
        if len(value.strip()) > limit:
            raise ValueError(f"should not exceed {limit} characters")
        return value.strip()

    return parse


def email(limit: int) -> Kind:
    def parse(value: str) -> str:
        if not _EMAIL.fullmatch(value.strip()):
            raise ValueError("email validation failed")
        return str(text(limit)(value))

    return parse


def integer(minimum: int | None = None, maximum: int | None = None) -> Kind:
    def parse(value: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", value):
            raise ValueError("should be an integer")
        number = int(value)
        if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
            raise ValueError(f"should be between {minimum} and {maximum}")
        return number

    return parse


def timestamp(value: str) -> int:
    """UTC seconds; a date is refused, since the API takes no local dates."""
    if not re.fullmatch(r"\d{1,10}", value):
        raise ValueError("should be a timestamp in UTC seconds")
    return int(value)


def boolean(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError("should be true or false")
    return value.lower() == "true"


def number(value: str) -> float:
    return float(value)


def choice(*allowed: str) -> Kind:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"should be one of {', '.join(allowed)}")
        return value

    return parse


def country(value: str) -> str:
    if value.upper() not in _COUNTRIES:
        raise ValueError("invalid country code")
    return value.upper()


def metadata(value: str) -> dict[str, Any]:
    if len(value) > 65_535:
        raise ValueError("should not exceed 65535 characters")
    return json_object(value)


currency: Final = choice(*CURRENCIES)


def read(
    params: Nested, fields: Fields, path: str = "{}", required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The values of the parameters that `fields` knows; an empty text becomes None (clear). Others
    are ignored.

    `path` turns a field name into its wire name (`billing_address[{}]`, `line_items[{}][0]`).
    Raises 400.
    """
    values: dict[str, Any] = {}
    for name, kind in fields.items():
        raw = params.get(name)
        wire_name = path.format(name)
        if raw is None or raw == "":
            if name in required:
                raise wrong_value(wire_name, "cannot be blank")
            if raw == "":
                values[name] = None
            continue
        values[name] = _parsed(kind, raw, wire_name)
    return values


def _parsed(kind: Kind, raw: object, wire_name: str) -> Any:
    if not isinstance(raw, str):
        raise wrong_value(wire_name, "should be a plain value")
    try:
        return kind(raw)
    except ApiError:
        raise
    except ValueError as error:
        raise wrong_value(wire_name, str(error)) from error


def without_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


ADDRESS_FIELDS: Final[Fields] = {
    "first_name": text(150),
    "last_name": text(150),
    "email": email(70),
    "company": text(250),
    "phone": text(50),
    "line1": text(150),
    "line2": text(150),
    "line3": text(150),
    "city": text(50),
    "state_code": text(50),
    "state": text(50),
    "zip": text(20),
    "country": country,
}


def read_address(params: Nested, name: str) -> dict[str, Any]:
    """The parts given of the address `name`. Zip codes are validated per country: Norway has four
    digits."""
    parts = read(sub(params, name), ADDRESS_FIELDS, name + "[{}]")
    if (
        parts.get("country") == "NO"
        and parts.get("zip")
        and not re.fullmatch(r"\d{4}", parts["zip"])
    ):
        raise wrong_value(f"{name}[zip]", "invalid zip/postal code")
    return without_nulls(parts)


def as_address(parts: dict[str, Any], object_name: str) -> dict[str, Any] | None:
    """The sub-resource as responses show it; None when no part is left."""
    return {**parts, "validation_status": "not_validated", "object": object_name} if parts else None
