"""Which fault a request meets: a function of the campaign's seed, the kind of request and how many
of that kind came before. Nothing else decides, so one seed gives one schedule."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal[
    "delay",
    "cut_before",
    "cut_after",
    "429",
    "500",
    "503",
    "html502",
    "html502_after",
    "truncated",
    "held",
    "kept",
    "short_list",
    "empty_list",
    "drop",
    "double",
    "shuffle",
    "late",
]

STORM: Mapping[Fault, int] = {
    "delay": 3,
    "cut_before": 2,
    "cut_after": 3,
    "429": 2,
    "500": 2,
    "503": 2,
    "html502": 1,
    "html502_after": 1,
    "truncated": 1,
}
HOOKS: Mapping[Fault, int] = {"drop": 1, "double": 2, "shuffle": 3, "late": 1}
HELD: Mapping[Fault, int] = {"held": 2, "cut_after": 1, "delay": 1}
SHORT: Mapping[Fault, int] = {"short_list": 1, "empty_list": 1}
# The lists that sources read whole or follow; a look-up by a key is never cut, since a vendor that
# denies a record is no fault that anybody could see through.
LISTS = {
    "/customers",
    "/items",
    "/orders",
    "/invoices",
    "/Customers",
    "/Products",
    "/SalesOrders",
    "/OutgoingInvoices",
}
_IS_ID = re.compile(r"\d")


@dataclass(frozen=True)
class Weather:
    """`rate` is the share of requests that meet a fault, `kinds` weighs the faults against each
    other; `hook_rate` and `hooks` do so for webhooks. `always` names the fault of every request
    whose kind begins so, as `POST`."""

    rate: float = 0.0
    kinds: Mapping[Fault, int] = field(default_factory=lambda: STORM)
    hook_rate: float = 0.0
    hooks: Mapping[Fault, int] = field(default_factory=lambda: HOOKS)
    always: Mapping[str, Fault] = field(default_factory=dict)


CALM = Weather()
MILD = Weather(rate=0.05, hook_rate=0.3)


def kind_of(method: str, target: str) -> str:
    """`POST /customers/{id}`: method and path without version and ids. A segment with a digit is an
    id."""
    parts = [part for part in target.partition("?")[0].split("/") if part]
    parts = parts[2:] if parts[:2] == ["api", "v2"] else parts[1:] if parts[:1] == ["v2"] else parts
    shown = ["{id}" if _IS_ID.search(part) else part for part in parts]
    return f"{method} /{'/'.join(shown)}"


def is_listing(method: str, target: str) -> bool:
    """Whether a list is asked for whole or by page, and not by a key."""
    path, _, query = target.partition("?")
    is_lookup = "%5Bis%5D" in query or "[is]" in query
    return method == "GET" and kind_of(method, path).split(" ")[1] in LISTS and not is_lookup


def number_of(*parts: object) -> int:
    """A number that depends on nothing but these."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def fault_of(seed: object, kind: str, count: int, weather: Weather) -> Fault | None:
    """What the request number `count` of its kind meets."""
    for prefix, fault in weather.always.items():
        if kind.startswith(prefix):
            return fault
    is_hook = kind == "webhook"
    rate, kinds = (weather.hook_rate, weather.hooks) if is_hook else (weather.rate, weather.kinds)
    drawn = number_of(seed, kind, count)
    if drawn % 10_000 >= rate * 10_000:
        return None
    bag = [fault for fault, weight in kinds.items() for _ in range(weight)]
    return bag[drawn // 10_000 % len(bag)]
