"""The page's words in the two languages, and dates, numbers and amounts as each writes them.

What is said of a record (a reason, a finding) comes as sentences with a code, and is shown in the
reader's language; what a vendor said is quoted in the vendor's own words. The journal is English in
both: it is searched for and quoted.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from babel.core import Locale
from babel.dates import format_datetime
from babel.numbers import format_decimal
from starlette.requests import Request

from contracts.said import SENTENCES, Said, joined

LOCALES = {"en": "en_GB", "nb": "nb_NO"}
COOKIE = "tandem_language"
DIRECTORY = Path(__file__).parent / "languages"
QUOTES = {"en": "“{}”", "nb": "«{}»"}
TRANSLATED = frozenset({"entity", "kind", "lacking", "meaning", "of", "op", "state", "what"})
NAMED = frozenset({"field", "fields"})  # our own fields, one or several
LISTED = frozenset({"fulfilment", "kind", "status", "vat_exempt"})  # whose values are our own words
SYSTEMS = frozenset({"system", "other"})


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The translations of a language by the English words; English has those of our own fields."""
    path = DIRECTORY / f"{language}.json"
    found: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


@cache
def sentences(language: str) -> Mapping[str, str]:
    """The sentences of a language by their codes."""
    path = DIRECTORY / f"sentences.{language}.json"
    found: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
    return {**SENTENCES, **found}


class Words:
    """One language."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LOCALES else "en"
        self._locale = Locale.parse(LOCALES[self.language])
        self._catalogue = catalogue(self.language)

    def __call__(self, text: str) -> str:
        """The words in this language; English where it lacks them."""
        return self._catalogue.get(text, text)

    def said(self, sentences_of: Iterable[Said], text: str | None = "") -> str:
        """Sentences in this language; the English `text` beside them where one has a code, or a
        place, that this release does not know, or where there is none."""
        told = list(sentences_of)
        try:
            return joined(told, sentences(self.language), self._argument) if told else text or ""
        except KeyError:
            return text or ""

    def _argument(self, name: str, text: str) -> str:
        if name == "why":
            return QUOTES[self.language].format(text)
        if name in SYSTEMS:
            return {"chargebee": "Chargebee", "poweroffice": "Go"}.get(text, text)
        if name in NAMED:
            return self.fields(text)
        if name == "at":
            return self.moment(text)
        if name == "total":
            currency, _, amount = text.rpartition(" ")
            return self.amount(currency, amount)
        return self(text) if name in TRANSLATED else text

    def fields(self, text: str) -> str:
        """Names of our own fields, one or several."""
        return ", ".join(self(each) for each in text.split(", "))

    def value(self, name: str, text: str) -> str:
        """The value of a field, in words: where it is one of a list of ours, in this language."""
        return self(text) if name in LISTED else text

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
