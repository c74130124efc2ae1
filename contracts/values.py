"""Canonical forms of text, money and references, the same on both sides and in every service."""

import re
import unicodedata
from decimal import Decimal

# Soft hyphen, Mongolian vowel separator, zero-width space, bidi marks, embeddings and isolates,
# word joiner, BOM.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
_JOINERS = re.compile("[\u200c\u200d]+")  # zero-width non-joiner and joiner
_BEYOND_LATIN = "[^\\x00-\u024f]"
_NEEDLESS_JOINERS = re.compile(
    f"(?<!{_BEYOND_LATIN}){_JOINERS.pattern}|{_JOINERS.pattern}(?!{_BEYOND_LATIN})"
)
# Digits and what may part them: blanks of any kind, dots, hyphens and dashes.
_DIGITS = re.compile(r"\d(?:[\s.\-\u2010-\u2015\u2212]*\d)*")
_WORD = re.compile(r"[^\W\d_]+")
_WEIGHTS = (3, 2, 7, 6, 5, 4, 3, 2)
_PREFIX_MAX = 3  # letters of a country in front of a number: DE, CHE, ATU
# Short words that may stand in front of a Norwegian number, and what may be written together with
# it.
_NORWEGIAN = frozenset(
    (
        "no",
        "nor",
        "norge",
        "norway",
        "org",
        "nr",
        "orgnr",
        "orgnummer",
        "organisasjonsnr",
        "organisasjonsnummer",
        "mva",
        "mvanr",
        "vat",
        "vatnr",
        "moms",
        "id",
        "as",
        "asa",
        "ans",
        "ba",
        "da",
        "enk",
        "ks",
        "nuf",
        "sa",
    )
)
_SUFFIXES = ("mva", "moms", "vat")


def text(value: str | None) -> str | None:
    """Trimmed NFC text without characters that nobody sees, or None when nothing is left.

    Zero-width spaces, word joiners, BOMs, soft hyphens and bidi marks, which come along when
    something is pasted, are removed everywhere. The zero-width joiner and non-joiner are kept
    between two characters of a script beyond Latin, where they change how a word is written
    (Persian, the scripts of India, emoji), and removed beside a Latin one or at either end: no
    e-mail address or Latin name needs them.
    """
    if value is None:
        return None
    if value.isascii():
        return value.strip() or None
    composed = unicodedata.normalize("NFC", value).strip()
    visible = _NEEDLESS_JOINERS.sub("", _INVISIBLE.sub("", composed))
    # What stood around a removed character may compose, or may need the next joiner no longer.
    return composed or None if visible == composed else text(visible)


def decimal(value: Decimal | int | str) -> Decimal:
    """The same number without exponent and without trailing zeros, so that equal numbers have equal
    text.

    Raises decimal.InvalidOperation for text that is no number, ValueError for NaN and infinities.
    """
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    if number == 0:
        return Decimal(0)
    sign, digits, place = number.as_tuple()
    exponent = int(place)  # a letter for NaN and infinities only
    if exponent > 0:
        return Decimal((sign, digits + (0,) * exponent, 0))
    keep = len(digits)
    while exponent < 0 and keep > 1 and digits[keep - 1] == 0:
        keep, exponent = keep - 1, exponent + 1
    return Decimal((sign, digits[:keep], exponent))


def natural(value: str | None) -> str | None:
    """The form in which natural keys are compared: trimmed, inner blanks folded, case-folded.

    Every invisible character is removed, the joiners that `text` keeps included: two names that
    look alike are equal.
    """
    if value is None:
        return None
    if value.isascii():
        return " ".join(value.casefold().split()) or None
    return " ".join(unicodedata.normalize("NFC", _visible(value)).casefold().split()) or None


def _visible(value: str) -> str:
    return _JOINERS.sub("", _INVISIBLE.sub("", value))


def organisation_number(written: str | None) -> str | None:
    """The Norwegian organisation number in a text, nine digits without blanks; None where there is
    none or a choice.

    Digits may be parted by blanks of any kind, dots and dashes, with words around them (`Org.nr.
    923 609 016`, `(NO) 923609016 MVA`, `NO-923609016`). The mod 11 check of the Brønnøysund
    register decides. Digits out of a longer run, and those that follow another country's prefix or
    a word of up to three letters that is not Norwegian usage (`SE556036079301`, `DE 923609016`,
    `CHE-923.609.016`), are none.
    """
    if written is None:
        return None
    visible = _visible(written)
    found = {
        number
        for run in _DIGITS.finditer(visible)
        if (number := _norwegian(visible, run)) is not None
    }
    return found.pop() if len(found) == 1 else None


def _norwegian(written: str, run: re.Match[str]) -> str | None:
    digits = "".join(each for each in run[0] if each.isdigit())
    if len(digits) != 9 or not digits.isascii() or not _checks(digits):
        return None
    before, after = written[: run.start()], written[run.end() :]
    if before.rstrip().endswith("+"):  # a phone number
        return None
    word = (_WORD.findall(before) or [""])[-1].casefold()
    if word not in _NORWEGIAN and (before[-1:].isalpha() or 0 < len(word) <= _PREFIX_MAX):
        return None
    glued = _WORD.match(after)
    if glued is not None and glued[0].casefold() not in _SUFFIXES:
        return None
    return digits


def _checks(digits: str) -> bool:
    rest = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=False)) % 11
    return rest != 1 and (11 - rest) % 11 == int(digits[8])
