# SPDX-License-Identifier: Apache-2.0
"""docs/alerts.yml: rules as Prometheus takes them, of metrics that exist, each on the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).resolve().parents[2] / "docs"
LABELS = {"protocol", "endpoint", "reason"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_rules_have_what_prometheus_and_people_need() -> None:
    for rule in rules():
        name = rule["alert"]
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, name
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert set(rule["annotations"]) == {"summary", "description"}, name
        assert re.fullmatch(r"\d+m", rule.get("for", "1m")), name
        for left, right in ("()", "{}", "[]"):
            assert rule["expr"].count(left) == rule["expr"].count(right), name
        used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert used <= LABELS, name
        aggregated = re.search(r"\bsum by \(([^)]*)\)", rule["expr"])
        if aggregated:  # the other labels are gone
            assert used <= set(aggregated[1].split(", ")), name


def test_they_are_of_metrics_that_are_documented() -> None:
    """That these are what adaptors write is in test_metrics.py."""
    metrics = (DOCS / "metrics.md").read_text()
    for rule in rules():
        names = set(re.findall(r"\bdsmsg_\w+", rule["expr"]))
        assert names, rule["alert"]
        for name in names:
            assert f"| `{name.removesuffix('_bucket')}` |" in metrics, name


def test_the_page_has_each_of_them_once() -> None:
    page = (DOCS / "alerts.md").read_text()
    listed = re.findall(r"^\| `(Dsmsg\w+)` \|", page, re.MULTILINE)
    assert listed == [rule["alert"] for rule in rules()]
