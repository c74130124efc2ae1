"""Alerts and the dashboard: they ask for metrics that exist, and each alert says what to do."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml

from tests.generated import DECLARED

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "containers" / "prometheus"
DASHBOARD = ROOT / "containers" / "grafana" / "dashboards" / "tandem.json"
PROMTOOL = os.environ.get("TANDEM_PROMTOOL") or which("promtool")
# What Prometheus adds to every series, or has by itself.
ADDED = {"instance", "job", "le", "alertname", "alertstate"}


def rules() -> list[dict[str, Any]]:
    held = yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())
    found: list[dict[str, Any]] = held["groups"][0]["rules"]
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Every query with the name of what asks it."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def series() -> dict[str, set[str]]:
    """The labels of each series that a service may tell."""
    found = {"up": {"job", "instance"}}
    for each in DECLARED:
        ends = ("_bucket", "_sum", "_count") if each.kind == "histogram" else ("",)
        for end in ends:
            found[each.name + end] = {*each.labels, *ADDED}
    return found


@pytest.mark.parametrize(("name", "query"), list(queries()))
def test_a_query_asks_for_series_and_labels_that_exist(name: str, query: str) -> None:
    known = series()
    asked = re.findall(r"\b(tandem_\w+|up)\b(?:\{([^}]*)\})?", query)
    assert asked, name
    for metric, matchers in asked:
        assert metric in known, metric
        assert set(re.findall(r"(\w+)\s*(?:=~|!=|=)", matchers)) <= known[metric]
    for labels in re.findall(r"\bby \(([^)]*)\)", query):
        everything = set().union(*(known[metric] for metric, _ in asked))
        assert {each.strip() for each in labels.split(",")} <= everything


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_is_and_where_it_stands_what_to_do(rule: dict[str, Any]) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    assert f"\n### {rule['alert']}\n" in runbook
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert (page, anchor) == ("docs/runbook.md", rule["alert"].lower())
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_every_alert_has_a_test_and_a_series_at_rest_fires_none() -> None:
    held = yaml.safe_load((PROMETHEUS / "alerts.test.yaml").read_text())
    tried = {each.get("name") for each in held["tests"]}
    assert tried == {*(rule["alert"] for rule in rules()), "at rest"}


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here; TANDEM_PROMTOOL may name one")
def test_promtool_finds_the_rules_right_and_each_fires() -> None:
    for call in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]):
        done = subprocess.run(
            [str(PROMTOOL), *call], cwd=PROMETHEUS, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
