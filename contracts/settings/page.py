"""Writes `docs/settings.md`; `make generate` runs it."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, get_args, get_origin

from contracts.settings.keys import Key, dotted, every_key
from contracts.settings.values import DECISIONS

_KINDS = {
    bool: "on, off",
    int: "whole number",
    float: "number",
    str: "text",
    Decimal: "decimal",
    date: "date",
}
_INTRODUCTION = """# Settings

`tandem.toml` (another path: `TANDEM_CONFIG`), under environment variables. This page is written
by `make generate`; `tandem.example.toml` shows the same keys in place.

- The variable of a key is `TANDEM_` and the key in capitals, with two underscores for each dot:
  `tenants.demo.chargebee.site` is `TANDEM_TENANTS__DEMO__CHARGEBEE__SITE`. The environment wins
  over the file; an empty variable counts as not set. A table (`owner`, `product.groups`) may be
  given whole, as JSON.
- Secrets come from the environment only: the variable, or its name with `_FILE` for a file that
  holds it. Each adapter reads its own vendor's, `tandem doctor` all of them; the linker, the
  console and every other command read none but Kafka's password.
- On and off may be written `"on"`, `"off"`, `true` or `false`.
- A tenant stays in `observe` until the four settings marked *decision* are set.
- Unknown keys and unknown nested variables stop the start, with one line each that names the key
  and the fix.
"""


def _kind_text(key: Key) -> str:
    kinds = [
        part
        for part in (get_args(key.info.annotation) or (key.info.annotation,))
        if part is not type(None)
    ]
    if key.secret:
        return "secret"
    if key.table:
        return "table"
    if key.path == ("slot",):
        return "i/n"
    if get_origin(key.info.annotation) is Literal:
        return ", ".join(kinds)
    first = get_args(kinds[0])
    if get_origin(kinds[0]) is Annotated:
        return _KINDS[first[0]]
    return ", ".join(first) if first else _KINDS[kinds[0]]


def _default_text(key: Key) -> str:
    if key.needed:
        return "required by its adapter"
    if dotted(key.path[2:]) in DECISIONS:
        return "*decision*"
    value = key.info.default
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    if isinstance(value, tuple):
        return f"`{value[0]}/{value[1]}`"
    return f"`{value}`" if value not in (None, {}) else "none"


def markdown() -> str:
    """docs/settings.md: every key, its values, default and meaning."""
    head = "| Key | Values | Default | Meaning |\n|---|---|---|---|\n"
    rows: dict[bool, str] = {False: "", True: ""}
    for key in every_key():
        own = key.path[0] == "tenants"
        name = dotted(key.path[2:] if own else key.path)
        rows[own] += (
            f"| `{name}` | {_kind_text(key)} | {_default_text(key)} | {key.info.description} |\n"
        )
    tenants = "Names are 1 to 32 of a-z, 0-9 and `_`; each key stands under `tenants.<name>.`\n"
    installation = f"## The installation\n\n{head}{rows[False]}"
    return f"{_INTRODUCTION}\n{installation}\n## Each tenant\n\n{tenants}\n{head}{rows[True]}"
