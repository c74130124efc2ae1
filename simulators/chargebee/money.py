"""Line arithmetic in minor units: discounts, tax, totals."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Final

from simulators.chargebee.site import Row

_HUNDRED: Final = Decimal(100)


def rounded(amount: Decimal) -> int:
    """Line amounts round half to even [spec]."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_EVEN))


def tax_minor(net_or_gross_minor: int, rate_percent: Decimal, *, is_inclusive: bool) -> int:
    """Tax on an amount without tax, or contained in an amount with tax; half a minor unit rounds up."""
    share = rate_percent / (_HUNDRED + rate_percent) if is_inclusive else rate_percent / _HUNDRED
    return int((net_or_gross_minor * share).quantize(Decimal(1), ROUND_HALF_UP))


def percentage_minor(amount_minor: int, percent: float) -> int:
    return rounded(amount_minor * Decimal(str(percent)) / _HUNDRED)


def spread(total_minor: int, weights: Sequence[int]) -> list[int]:
    """`total_minor` in parts proportional to `weights`, whose sum is exact; the last part takes the remainder."""
    whole = sum(weights)
    parts = [rounded(Decimal(total_minor) * weight / whole) if whole else 0 for weight in weights]
    if parts:
        parts[-1] += total_minor - sum(parts)
    return parts


def totals(lines: Sequence[Row], *, is_inclusive: bool, round_off_minor: int = 0) -> Row:
    """`sub_total` (before discount), `tax` and `total` of invoice lines."""
    sub_total = sum(line["amount"] for line in lines)
    discount = sum(line["discount_amount"] + line["item_level_discount_amount"] for line in lines)
    tax = sum(line["tax_amount"] for line in lines)
    total = sub_total - discount + (0 if is_inclusive else tax) + round_off_minor
    return {"sub_total": sub_total, "tax": tax, "total": total, "_discount": discount}
