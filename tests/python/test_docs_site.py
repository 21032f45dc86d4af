# SPDX-License-Identifier: Apache-2.0
"""The documentation's site: built strictly, complete, readable without network and on a phone.

mkdocs itself checks links and anchors of docs/ (mkdocs.yml, validation).
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
from browser import Browser

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = "\nID=debian\n" in Path("/etc/os-release").read_text()
in_a_browser = pytest.mark.skipif(
    browser.program() is None and not DEBIAN, reason="no Chromium or Chrome is installed"
)
# What a browser loads by itself; a link that is followed by hand may lead anywhere.
LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\bsrc=[\"']?([^\"'\s>]+)"
    r"|<link\b[^>]*?\bhref=[\"']?([^\"'\s>]+)"
    r"|url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)"
)
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert built.returncode == 0, built.stdout
    return folder


def pages(site: Path) -> list[Path]:
    return sorted(path for path in site.glob("*.html") if path.name != "404.html")


def test_every_page_is_there_as_markdown_and_in_the_lists(site: Path) -> None:
    names = {path.stem for path in pages(site)}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} <= names
    assert {path.stem for path in site.glob("*.md")} == names
    short = (site / "llms.txt").read_text()
    listed = re.findall(r"^- \[([^]]+)\]\(([\w-]+)\.md\)(: .+)?$", short, re.MULTILINE)
    assert {name for _, name, _ in listed} == names
    assert len(listed) == len(names)
    whole = (site / "llms-full.txt").read_text()
    for name in names:
        text = (site / f"{name}.md").read_text()
        assert re.search(r"^# ", text, re.MULTILINE), name
        assert text.strip() in whole, name
        for link in LINK.findall(text):  # those in code are no links, but none of ours has any
            file = link.partition("#")[0]
            if file and not file.startswith(("http://", "https://")):
                assert (site / file).is_file(), (name, link)


def test_an_option_of_every_adaptor_has_one_anchor(site: Path) -> None:
    common = re.findall(r'<a id="([\w-]+)">', (ROOT / "docs" / "options.md").read_text())
    assert len(common) == len(set(common)) > 40
    text = (site / "options.html").read_text()
    assert all(f'id="{name}"' in text for name in common)


def test_adaptors_have_the_guarantees_of_the_table(site: Path) -> None:
    for path in (ROOT / "docs").glob("options-*.md"):
        name = path.stem[len("options-") :]
        assert "**acknowledged by** " in (site / f"{name}.md").read_text(), name


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    found = 0
    for path in [*site.rglob("*.html"), *site.rglob("*.css"), *site.rglob("*.svg")]:
        text = re.sub(r"<(?:pre|code)\b.*?</(?:pre|code)>", "", path.read_text(), flags=re.DOTALL)
        for match in LOADED.findall(text):
            target = next(filter(None, match))
            found += 1
            assert not re.match(r"(?:https?:)?//", target), (path.name, target)
    assert found > 100


def test_links_at_the_top_of_the_tree() -> None:
    for page in [*ROOT.glob("*.md"), ROOT / "findings" / "README.md"]:
        for link in LINK.findall(page.read_text()):
            file, _, anchor = link.partition("#")
            if re.match(r"\w+:", file):
                continue
            target = page.parent / file if file else page
            assert target.exists(), (page.name, link)
            if anchor:
                assert anchor in anchors(target), (page.name, link)


def anchors(page: Path) -> set[str]:
    """Of a page's headings."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@in_a_browser
@pytest.mark.parametrize("name", ["index", "options", "operations", "compatibility", "quick-c"])
def test_pages_fit_a_phone_and_a_screen(site: Path, chromium: Browser, name: str) -> None:
    page = chromium.open((site / f"{name}.html").as_uri(), width=390)
    for width in (390, 1400):
        page.resize(width, 900)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.querySelector('article').offsetWidth") > width / 2
    assert page.complaints() == []  # among them: what could not be loaded


@in_a_browser
def test_the_search_needs_no_other_server(site: Path, chromium: Browser) -> None:
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            page = chromium.open(f"http://127.0.0.1:{server.server_port}/index.html")
            page.wait("document.querySelector('[data-md-component=search-query]')")
            page.evaluate(
                "(() => { const field = document.querySelector('[data-md-component=search-query]');"
                "document.querySelector('#__search').checked = true; field.focus();"
                "field.value = 'memory-high-water'; field.dispatchEvent(new Event('keyup')); })()"
            )
            page.wait("document.querySelector('.md-search-result__item a[href*=options]')")
            assert page.complaints() == []
        finally:
            server.shutdown()
            thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Without a line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Writes none."""
