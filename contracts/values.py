"""Canonical forms of text, money and references, the same on both sides and in every service."""

import hashlib
import unicodedata
from decimal import Decimal

STAMP_MAX = 50  # PowerOffice Go ExternalImportReference holds 50 characters (Go OpenAPI, CustomerDto)
_HASHED = "cb-#"


def text(value: str | None) -> str | None:
    """Trimmed NFC text, or None when nothing is left."""
    if value is None:
        return None
    if value.isascii():
        return value.strip() or None
    return unicodedata.normalize("NFC", value).strip() or None


def decimal(value: Decimal | int | str) -> Decimal:
    """The same number without exponent and without trailing zeros, so that equal numbers have equal text.

    Raises decimal.InvalidOperation for text that is no number, ValueError for NaN and infinities.
    """
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    if number == 0:
        return Decimal(0)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if exponent > 0:
        return Decimal((sign, digits + (0,) * exponent, 0))
    keep = len(digits)
    while exponent < 0 and keep > 1 and digits[keep - 1] == 0:
        keep, exponent = keep - 1, exponent + 1
    return Decimal((sign, digits[:keep], exponent))


def natural(value: str | None) -> str | None:
    """The form in which natural keys are compared: trimmed, inner blanks folded, case-folded."""
    if value is None:
        return None
    composed = value if value.isascii() else unicodedata.normalize("NFC", value)
    return " ".join(composed.casefold().split()) or None


def stamp_for_poweroffice(chargebee_id: str) -> str:
    """The reference written into Go for a Chargebee record: `cb-<id>`, or a hash where the id is longer than 47.

    The prefix keeps ids such as "17" from colliding with the references of other integrations.
    """
    if len(chargebee_id) <= STAMP_MAX - len("cb-") and not chargebee_id.startswith("#"):
        return f"cb-{chargebee_id}"
    return _HASHED + hashlib.sha256(chargebee_id.encode()).hexdigest()[: STAMP_MAX - len(_HASHED)]


def own_chargebee_id(poweroffice_id: str) -> str:
    """The id under which a record born in Go is created in Chargebee: `go-<Go Id>`."""
    return f"go-{poweroffice_id}"


def code_for(item_id: str) -> str:
    """The Go product code of a Chargebee item id; a comma would split Go's `codes` filter."""
    return item_id.replace(",", "_")
