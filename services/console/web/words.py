"""The page's words in the two languages, and dates, numbers and amounts as each writes them.

What the linker says of a record (a reason, a finding) is English in both: it is searched for and
quoted, and stands so in the journal.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from babel.core import Locale
from babel.dates import format_datetime
from babel.numbers import format_decimal
from starlette.requests import Request

LOCALES = {"en": "en_GB", "nb": "nb_NO"}
COOKIE = "tandem_language"
DIRECTORY = Path(__file__).parent / "languages"


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The translations of a language by the English words; English has none."""
    path = DIRECTORY / f"{language}.json"
    found: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


class Words:
    """One language."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LOCALES else "en"
        self._locale = Locale.parse(LOCALES[self.language])
        self._catalogue = catalogue(self.language)

    def __call__(self, text: str) -> str:
        """The words in this language; English where it lacks them."""
        return self._catalogue.get(text, text)

    def moment(self, text: str) -> str:
        """A time (ISO 8601) to the minute, in UTC; as it stands where it is none."""
        try:
            when = datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            return text
        return f"{format_datetime(when, 'short', locale=self._locale)} UTC"

    def number(self, value: int) -> str:
        """A whole number with its separators."""
        return str(format_decimal(value, locale=self._locale))

    def amount(self, currency: str | None, text: str | None) -> str:
        """An amount with two decimals or more and its currency; blank for none."""
        try:
            value = Decimal(text or "")
        except InvalidOperation:
            return text or ""
        shown = format_decimal(value, "#,##0.00##", locale=self._locale)
        return f"{currency or ''} {shown}".strip()


def language_of(request: Request) -> str:
    """What the person chose, else the first of the browser's languages that there is."""
    if (chosen := request.cookies.get(COOKIE)) in LOCALES:
        return str(chosen)
    for part in request.headers.get("accept-language", "").split(","):
        name = part.partition(";")[0].strip().lower().partition("-")[0]
        if name in ("nb", "nn", "no"):
            return "nb"
        if name == "en":
            return "en"
    return "en"
