"""One generated order, and what must become of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

Expected = Literal["pass", "refuse", "either"]
RATES = (25, 15, 12, 0)  # per cent; the products of both sides are named by their rate


@dataclass(frozen=True)
class Case:
    """An order as its vendor shows it, and whether it must cross.

    `raw` is an order of Chargebee, or the draft of Go that is going to be sent. `invoice` is
    Chargebee's invoice of it; for a draft it says how Go's amounts are changed against its own
    arithmetic. `rates` tells which rate a product has in Go where it is another than its name says,
    `customer` what the customer in Go has of its own. `round_off` is what Chargebee's total
    contains of it in minor units, where the record names another; `has_round_off_product` says that
    `order.round_off_product` is set. `reasons` are the codes of a refusal that is right.
    """

    raw: dict[str, Any]
    expected: Expected = "pass"
    reasons: frozenset[str] = frozenset()
    invoice: dict[str, Any] = field(default_factory=dict)
    rates: Mapping[int, int] = field(default_factory=dict)
    round_off: int | None = None
    has_round_off_product: bool = False
    customer: Mapping[str, Any] = field(default_factory=dict)


Make = Callable[[Random], Case]
