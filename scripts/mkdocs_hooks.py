# SPDX-License-Identifier: Apache-2.0
"""Fills the parts of the documentation's navigation that list adaptors (see mkdocs.yml)."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

__all__ = ["on_config"]


def on_config(config: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Adds each adaptor's page and its page of options; their headings are the titles."""
    pages = sorted(Path(config["docs_dir"]).glob("options-*.md"))
    parts = {
        "Adaptors": [page.name[len("options-") :] for page in pages],
        "Options": [page.name for page in pages],
    }
    for entry in config["nav"]:
        if isinstance(entry, dict):
            entry.update({title: parts[title] for title in entry.keys() & parts.keys()})
    return config
