"""Writes `docs/metrics.md` from the declarations; `make generate` runs it."""

from collections.abc import Iterable

from runtime.metrics import EVERYBODY, Declared

_INTRODUCTION = """# Metrics

What each service tells Prometheus on `/metrics` of its port. This page is written by
`make generate` from the declarations. A histogram `NAME` shows as `NAME_bucket` (with the label
`le`), `NAME_sum` and `NAME_count`.

- A series carries the tenant where there is one. `system` and `target` are `chargebee` or
  `poweroffice`, `entity` is `customer`, `product` or `order`, `lane` is `live` (somebody's edit)
  or `bulk` (a backfill).
- No label holds an id, a name or anything else of a stranger's choosing.
- `containers/prometheus/alerts.yaml` has the alerts, the [runbook](runbook.md#alerts) what to do
  about each, and `containers/grafana/dashboards/tandem.json` a dashboard.
  `docker compose --profile observe up -d` shows them
  ([in containers](containers.md#metrics-alerts-and-traces)).
- Beside these there are `process_*` and `python_*` of the Prometheus client.
"""
_TITLES = {
    EVERYBODY: "Every service",
    ("chargebee_adapter", "linker", "poweroffice_adapter"): "The linker and both adapters",
    ("chargebee_adapter", "poweroffice_adapter"): "Both adapters",
    ("chargebee_adapter",): "The Chargebee adapter",
    ("linker",): "The linker",
    ("console",): "The console",
}


def page(declared: Iterable[Declared]) -> str:
    """The page: a table for each set of services, in the order of the declarations."""
    tables: dict[tuple[str, ...], list[str]] = {}
    for each in declared:
        labels = ", ".join(f"`{label}`" for label in each.labels) or "-"
        row = f"| `{each.name}` | {each.kind} | {labels} | {each.help} |"
        tables.setdefault(each.services, []).append(row)
    parts = [_INTRODUCTION]
    for services, rows in tables.items():
        head = "| Name | Type | Labels | Meaning |\n|---|---|---|---|"
        parts.append(f"## {_TITLES[services]}\n\n" + "\n".join([head, *rows]) + "\n")
    return "\n".join(parts)
