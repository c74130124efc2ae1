"""Line arithmetic in minor units: discounts, tax, totals and their summaries."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Final

from simulators.chargebee.fields import without_nulls
from simulators.chargebee.site import Row

_HUNDRED: Final = Decimal(100)


def rounded(amount: Decimal) -> int:
    """Line amounts round half to even [spec]."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_EVEN))


def tax_minor(net_or_gross_minor: int, rate_percent: Decimal, *, is_inclusive: bool) -> int:
    """Tax on an amount without tax, or contained in an amount with tax; half a minor unit rounds
    up."""
    share = rate_percent / (_HUNDRED + rate_percent) if is_inclusive else rate_percent / _HUNDRED
    return int((net_or_gross_minor * share).quantize(Decimal(1), ROUND_HALF_UP))


def percentage_minor(amount_minor: int, percent: float) -> int:
    return rounded(amount_minor * Decimal(str(percent)) / _HUNDRED)


def portion(total_minor: int, weight: int, whole: int) -> int:
    return rounded(Decimal(total_minor) * weight / whole)


def portions(total_minor: int, weights: Sequence[int]) -> list[int]:
    """`total_minor` in parts proportional to `weights`, each rounded by itself; nothing where these
    sum up to 0."""
    whole = sum(weights)
    return [portion(total_minor, weight, whole) if whole else 0 for weight in weights]


def spread(total_minor: int, weights: Sequence[int]) -> list[int]:
    """`total_minor` in parts proportional to `weights`, whose sum is exact; the last part takes the
    remainder."""
    parts = portions(total_minor, weights)
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


def tax_summary(lines: Sequence[Row]) -> Row:
    """`taxes` and `line_item_taxes` of invoice lines; {} when none is taxed."""
    by_name: dict[str, int] = {}
    per_line = []
    for line in lines:
        for name, rate, amount in line.get("_taxes", []):
            by_name[name] = by_name.get(name, 0) + amount
            base = line["amount"] - line["discount_amount"] - line["item_level_discount_amount"]
            per_line.append(
                {
                    "line_item_id": line["id"],
                    "tax_name": name,
                    "tax_rate": rate,
                    "tax_amount": amount,
                    "taxable_amount": base,
                    "is_partial_tax_applied": False,
                    "is_non_compliance_tax": False,
                    "tax_juris_type": "country",
                    "object": "line_item_tax",
                }
            )
    if not per_line:
        return {}
    taxes = [{"name": name, "amount": amount, "object": "tax"} for name, amount in by_name.items()]
    return {"taxes": taxes, "line_item_taxes": per_line}


def discount_summary(lines: Sequence[Row]) -> Row:
    """`discounts` and `line_item_discounts` of invoice lines; {} when there are none."""
    found = []
    for line in lines:
        for name, kind in (
            ("item_level_discount_amount", "item_level"),
            ("discount_amount", "document_level"),
        ):
            if line[name]:
                found.append(
                    {
                        "line_item_id": line["id"],
                        "discount_type": f"{kind}_discount",
                        "discount_amount": line[name],
                        "entity_id": line.get("entity_id"),
                        "object": "line_item_discount",
                    }
                )
    if not found:
        return {}
    amounts: dict[str, int] = {}
    for entry in found:
        amounts[entry["discount_type"]] = (
            amounts.get(entry["discount_type"], 0) + entry["discount_amount"]
        )
    discounts = [
        {"entity_type": kind, "amount": amount, "object": "discount"}
        for kind, amount in amounts.items()
    ]
    return {
        "discounts": discounts,
        "line_item_discounts": [without_nulls(entry) for entry in found],
    }
