"""Units of measure and currency exponents, where the two systems write the same thing differently.

A canonical unit is a UN/ECE Recommendation 20 code where the word is known, else the vendor's own word. Chargebee
keeps a free word (30 characters), PowerOffice Go a code of its enumeration.
"""

from decimal import ROUND_HALF_UP, Decimal

from contracts.values import decimal, text

# The first word of each row is the one written into Chargebee.
_WORDS: dict[str, tuple[str, ...]] = {
    "HUR": ("hour", "hours", "hr", "hrs", "h", "time", "timer"),
    "MIN": ("minute", "minutes", "min", "minutt", "minutter"),
    "DAY": ("day", "days", "dag", "dager", "døgn"),
    "WEE": ("week", "weeks", "uke", "uker"),
    "MON": ("month", "months", "måned", "måneder", "mnd"),
    "ANN": ("year", "years", "år"),
    "EA": ("piece", "pieces", "pcs", "pc", "stk", "stykk", "unit", "units", "each", "enhet", "enheter"),
    "SET": ("set", "sets", "sett"),
    "PR": ("pair", "pairs", "par"),
    "KGM": ("kg", "kilo", "kilogram", "kilograms"),
    "GRM": ("gram", "grams", "g"),
    "TNE": ("tonne", "tonnes", "tonn"),
    "LTR": ("litre", "litres", "liter", "liters", "l"),
    "MTR": ("metre", "metres", "meter", "meters", "m"),
    "KMT": ("km", "kilometre", "kilometres", "kilometer", "kilometers"),
    "MTK": ("m2", "m²", "square metre", "square meter", "kvadratmeter", "kvm"),
    "MTQ": ("m3", "m³", "cubic metre", "cubic meter", "kubikkmeter"),
    "KWH": ("kwh", "kilowatt hour", "kilowattime"),
}
_CODES = {word: code for code, words in _WORDS.items() for word in words}

# ISO 4217 minor units other than 2, as far as Chargebee lists the currency.
_NO_DECIMALS = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF",
)  # fmt: skip
_THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_EXPONENTS = {**dict.fromkeys(_NO_DECIMALS, 0), **dict.fromkeys(_THREE_DECIMALS, 3)}


def unit_code(word: str | None) -> str | None:
    """The canonical unit of a word or code: `timer` -> HUR, `HUR` -> HUR, `pallet` -> pallet, blank -> None."""
    cleaned = text(word)
    if cleaned is None or cleaned in _WORDS:
        return cleaned
    return _CODES.get(cleaned.casefold().rstrip("."), cleaned)


def unit_word(unit: str | None) -> str | None:
    """The word Chargebee is given for a canonical unit; a unit that is not known stays as it is."""
    words = _WORDS.get(unit or "")
    return words[0] if words else unit


def exponent(currency: str) -> int:
    """How many decimals the minor unit of an ISO 4217 currency has: 0, 2 or 3."""
    return _EXPONENTS.get(currency.upper(), 2)


def major(amount_minor: int, currency: str) -> Decimal:
    """Minor units (NOK oere) in canonical major units (NOK)."""
    return decimal(Decimal(amount_minor).scaleb(-exponent(currency)))


def minor(amount: Decimal, currency: str) -> int:
    """Major units in whole minor units, halves away from zero."""
    return int(amount.scaleb(exponent(currency)).quantize(Decimal(1), ROUND_HALF_UP))


def rounded(amount: Decimal, currency: str) -> Decimal:
    """An amount at the precision of its currency, canonical."""
    return major(minor(amount, currency), currency)
