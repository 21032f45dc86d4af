# SPDX-License-Identifier: Apache-2.0
"""What mkdocs does besides (see mkdocs.yml).

- The part of the navigation that lists adaptors is filled.
- Pages from the top of the source tree (CONTRIBUTING.md, ...) belong to the site.
- Files of the source tree that a page links to are copied to source/, and the links follow them.
- Every page is also there as Markdown, beside it; llms.txt lists them, llms-full.txt has them all.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

__all__ = ["on_config", "on_files", "on_page_content", "on_page_markdown", "on_post_build"]

ROOT = Path(__file__).resolve().parent.parent
TOP_PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")

_pages: dict[str, tuple[str, str]] = {}  # by its name: title and Markdown


def title(page: Path) -> str:
    """Returns a page's heading."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return next(line[2:] for line in lines if line.startswith("# "))


def on_config(config: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Adds each adaptor's page and its page of options; their headings are the titles."""
    docs = Path(config["docs_dir"])
    names = [page.name[len("options-") :] for page in sorted(docs.glob("options-*.md"))]
    adaptors = [
        {title(docs / name): [{"Guide": name}, {"Options": f"options-{name}"}]} for name in names
    ]
    for entry in config["nav"]:
        if isinstance(entry, dict) and "Adaptors" in entry:
            entry["Adaptors"] = adaptors
    return config


def site_link(page: str, link: str) -> str:
    """Returns where in the site a link of a page leads; both as in the source tree."""
    target = (ROOT / page).parent.joinpath(link).resolve()
    if not target.is_relative_to(ROOT) or not target.exists():
        return link  # mkdocs complains
    if target.is_relative_to(ROOT / "docs"):
        return target.relative_to(ROOT / "docs").as_posix()
    if target.name in TOP_PAGES and target.parent == ROOT:
        return target.name.lower()
    return f"source/{target.relative_to(ROOT).as_posix()}"


def copied_file(name: str) -> Path | None:
    """Returns the path of a file that the site has under source/, if it is one."""
    path = ROOT / name.removeprefix("source/")
    wanted = name.startswith("source/") and path.is_file() and path.suffix != ".md"
    return path if wanted else None


def source_of(name: str) -> str:
    """Returns the path of a page of the site in the source tree."""
    top = {page.lower(): page for page in TOP_PAGES}
    return top.get(name, f"docs/{name}")


def on_files(files: Any, config: MutableMapping[str, Any]) -> Any:  # noqa: ANN401
    """Adds the pages of the top and the files that pages link to."""
    from mkdocs.structure.files import File

    for page in TOP_PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        files.append(File.generated(config, page.lower(), content=text))
    added = set()
    for file in list(files.documentation_pages()):
        page = source_of(file.src_uri)
        for link in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
            name = site_link(page, link)
            if (path := copied_file(name)) and name not in added:
                added.add(name)
                files.append(File.generated(config, name, content=path.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:  # noqa: ANN401
    """Turns links into the source tree to where the site has their targets."""
    source = source_of(page.file.src_uri)

    def turn(match: re.Match[str]) -> str:
        return site_link(source, match[1])

    def plain(match: re.Match[str]) -> str:
        """Folders and their pages are not in the site: the name says where to look."""
        name = site_link(source, match[2])
        outside = name.startswith("source/") and not copied_file(name)
        return match[1] if outside else match[0]

    markdown = re.sub(
        r"^# .*\n", lambda m: m[0] + badges(page.file.name), markdown, count=1, flags=re.M
    )
    markdown = re.sub(r"\[([^]]+)\]\(([^)#:\s]+)\)", plain, markdown)
    markdown = LINK.sub(turn, markdown)
    heading = re.search(r"^# (.*)", markdown, re.MULTILINE)
    _pages[page.file.src_uri] = (heading[1] if heading else page.file.name, markdown)
    return markdown


def badges(name: str) -> str:
    """Returns an adaptor's row of the table of guarantees in operations.md; "" for other pages."""
    table = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    head = re.search(r"^\| adaptor (\| acknowledged by .*)\|$", table, re.MULTILINE)
    row = re.search(rf"^\| \[[^]]+\]\({name}\.md\) (\|.*)\|$", table, re.MULTILINE)
    if head is None or row is None:
        return ""
    cells = [[cell.strip() for cell in part[1].split("|")[1:]] for part in (head, row)]
    parts = [f"**{about}** {text}" for about, text in zip(*cells)]
    link = "[compare](operations.md#guarantees-at-a-glance)"
    return f"\n{' · '.join(parts)} · {link}\n"


def on_page_content(html: str, page: Any, **_: object) -> str:  # noqa: ANN401
    """Adds the link to the page's Markdown."""
    name = Path(page.file.src_uri).name
    return f'{html}\n<p class="as-markdown"><a href="{name}">This page as Markdown</a></p>\n'


def summary(markdown: str) -> str:
    """Returns the first sentence of a page's text."""
    text = re.sub(r"<!--.*?-->|^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    for part in re.split(r"\n\s*\n", text):
        if part.strip() and part.strip()[0] not in "#|->!<*":
            flat = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(part.split()))
            return re.split(r"(?<=\.)\s", flat.replace("**", ""))[0].rstrip(":")
    return ""


def on_post_build(config: MutableMapping[str, Any]) -> None:
    """Writes the Markdown of all pages, llms.txt and llms-full.txt."""
    site = Path(config["site_dir"])
    lines = [f"# {config['site_name']}", "", f"> {config['site_description']}", ""]
    lines += ["llms-full.txt beside this file has the text of all pages.", ""]
    full = []
    for heading, names in sections(config["nav"]):
        lines += [f"## {heading}", ""]
        for name in names:
            page_title, markdown = _pages[name]
            (site / name).write_text(markdown, encoding="utf-8")
            about = summary(markdown)
            lines.append(f"- [{page_title}]({name})" + (f": {about}" if about else ""))
            full.append(f"<!-- {name} -->\n\n{markdown.strip()}\n")
        lines.append("")
    (site / "llms.txt").write_text("\n".join(lines), encoding="utf-8")
    (site / "llms-full.txt").write_text("\n".join(full), encoding="utf-8")


def sections(nav: list[Any]) -> list[tuple[str, list[str]]]:
    """Returns the headings of the navigation with their pages."""

    def leaves(entry: Any) -> list[str]:  # noqa: ANN401
        if isinstance(entry, str):
            return [entry]
        parts = entry.values() if isinstance(entry, dict) else entry
        return [name for part in parts for name in leaves(part)]

    return [(heading, leaves(part)) for entry in nav for heading, part in entry.items()]
