"""Units of measure and currency exponents, where the two systems write the same thing differently.

A canonical unit is a UN/ECE Recommendation 20 code where the word is known, else the vendor's own
word. Chargebee keeps a free word (30 characters), PowerOffice Go a code of its enumeration.
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
    "EA": (
        "piece",
        "pieces",
        "pcs",
        "pc",
        "stk",
        "stykk",
        "unit",
        "units",
        "each",
        "enhet",
        "enheter",
    ),
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

# Decimals of the minor unit by ISO 4217, with the codes that are withdrawn but still on Chargebee's
# list (chargebee.com/docs/supported-currencies.html) or on documents made while they were in use.
_DECIMALS: dict[int, str] = {
    0: "BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN
        BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EEK EGP ERN ETB EUR FJD
        FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD
        KZT LAK LBP LKR LRD LSL LTL LVL MAD MDL MGA MKD MMK MNT MOP MRO MRU MUR MVR MWK MXN MXV MYR
        MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD
        SHP SLE SLL SOS SRD SSP STD STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU
        UZS VED VEF VES WST XCD XCG YER ZAR ZMK ZMW ZWG ZWL
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENTS = {code: places for places, codes in _DECIMALS.items() for code in codes.split()}


def unit_code(word: str | None) -> str | None:
    """The canonical unit of a word or code: `timer` -> HUR, `HUR` -> HUR, `pallet` -> pallet, blank
    -> None."""
    cleaned = text(word)
    if cleaned is None or cleaned in _WORDS:
        return cleaned
    return _CODES.get(cleaned.casefold().rstrip("."), cleaned)


def unit_word(unit: str | None) -> str | None:
    """The word Chargebee is given for a canonical unit; a unit that is not known stays as it is."""
    words = _WORDS.get(unit or "")
    return words[0] if words else unit


def is_currency(code: str) -> bool:
    """Whether this is a currency of ISO 4217."""
    return code.upper() in _EXPONENTS


def exponent(currency: str) -> int:
    """How many decimals the minor unit of an ISO 4217 currency has: 0, 2, 3 or 4. Raises ValueError
    for any other code: an amount in an unknown unit has no meaning."""
    places = _EXPONENTS.get(currency.upper())
    if places is None:
        raise ValueError(f"{currency!r} is no currency of ISO 4217")
    return places


def major(amount_minor: int, currency: str) -> Decimal:
    """Minor units (NOK oere) in canonical major units (NOK)."""
    return decimal(Decimal(amount_minor).scaleb(-exponent(currency)))


def rounding_step(currency: str) -> Decimal:
    """What rounding may cost once: a minor unit of the currency, and never less than the two
    decimals that Go keeps. Raises as `exponent` does."""
    return max(Decimal("0.01"), Decimal(1).scaleb(-exponent(currency)))


def minor(amount: Decimal, currency: str) -> int:
    """Major units in whole minor units, halves away from zero."""
    return int(amount.scaleb(exponent(currency)).quantize(Decimal(1), ROUND_HALF_UP))


def rounded(amount: Decimal, currency: str) -> Decimal:
    """An amount at the precision of its currency, canonical."""
    return major(minor(amount, currency), currency)
