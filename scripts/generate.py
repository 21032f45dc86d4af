# SPDX-License-Identifier: Apache-2.0
"""Writes the files that are made from the adaptors' option tables.

Each adaptor library describes its table with dsmsg_describe(). From it come, for each adaptor,
`cfg/cfg_<name>.txt`, `docs/options-<name>.md` (its own options) and the Python package's typed
configuration, `python/dsmsg/_settings/<name>.py`. All of them together give docs/options.md, the
options that all adaptors share, and the lists of adaptors: that of the Python package and the
tables between the marks in README.md and docs/index.md. The tables of a map's values in
docs/maps.md come from dsmsg._native, those of docs/troubleshooting.md from the sources
(error_texts.py).

Usage: generate.py [--check] <folder with the built adaptors>
    --check   write nothing; exit with 1 and name the files that are stale
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import re
import sys
import textwrap
from fnmatch import fnmatch
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
import error_texts  # noqa: E402
from python_config import package_module, settings_module  # noqa: E402

NOTICE = "Made by scripts/generate.py from the adaptor's option table (make generate). Do not edit."

TABLE = re.compile(r"(<!-- adaptors: [^>]*-->\n).*?(<!-- end of adaptors -->\n)", re.DOTALL)
VALUES = re.compile(r"(<!-- values: begin -->\n).*?(<!-- values: end -->\n)", re.DOTALL)

# The groups of docs/options.md: a heading, and the names or patterns of its options.
GROUPS = (
    ("Connection", ("connect*", "reconnect*", "hostname", "port", "share-connection")),
    ("Login and TLS", ("username", "password", "enable-tls", "tls-*")),
    ("Changes while it runs", ("config-watch",)),
    ("Queue", ("queue-*", "overflow*", "memory-high-water", "max-message-bytes")),
    ("Time limits", ("message-timeout", "send-timeout", "flush-timeout", "work-wait")),
    ("Topic, key and headers", ("topic*", "key*", "headers", "value-encoding")),
    ("Spool", ("spool-*",)),
    ("Refused messages", ("poison-attempts", "dead-letter-*")),
    ("Delivery ledger", ("ledger*",)),
    ("Metrics and log", ("metrics-*", "log-level")),
)

Option = dict[str, Any]
Description = dict[str, Any]


def describe(library: Path) -> Description:
    """Returns what an adaptor library says about itself.

    Raises:
        OSError: the library cannot be loaded.
        AttributeError: it is not one of ours (no dsmsg_describe).
        ValueError: its answer is not the JSON expected.
    """
    function = ctypes.CDLL(str(library)).dsmsg_describe
    function.restype = ctypes.c_char_p
    description: Description = json.loads(function().decode("utf-8"))
    wanted = {"protocol", "library", "delivery", "connection", "default_port", "options"}
    if missing := wanted - description.keys():
        raise ValueError(f"{library.name}: dsmsg_describe() lacks {', '.join(sorted(missing))}")
    return description


def values_text(kind: str) -> str:
    """Returns what a person may write for an option's type, for example "bytes(1,10)"."""
    name, _, rest = kind.partition("(")
    bounds = rest.rstrip(")").split(",")
    fixed = {
        "string": "text",
        "path": "a path",
        "bool": "1 or 0 (true, false, yes, no)",
        "template": "text with ${fields}",
        "pairs": 'key=value;key="a;b"',
    }
    if name in fixed:
        return fixed[name]
    if name == "enum":
        return ", ".join(bounds)
    low, high = bounds
    if name == "int":
        return f"{low} to {high}"
    if name == "bytes":
        return f"{low} to {high} bytes (k, M, G)"
    if name in ("ms", "s"):
        unit = "milliseconds" if name == "ms" else "seconds"
        return f"a time (500ms, 5s, 2m; a bare number: {unit}), {low} to {high} {unit}"
    raise ValueError(f"unknown option type {kind!r}")


def groups(description: Description) -> list[tuple[str, list[Option]]]:
    """Returns the options by heading: the adaptor's own, the common ones, the unavailable ones."""
    usable = [option for option in description["options"] if not option["unavailable"]]
    return [
        (f"Options of {description['protocol']}", [o for o in usable if not o["common"]]),
        ("Options of every adaptor", [o for o in usable if o["common"]]),
        (
            "Known, but not in this version (setting one to another value is an error)",
            [o for o in description["options"] if o["unavailable"]],
        ),
    ]


def notes(option: Option) -> list[str]:
    """Returns additional remarks about an option."""
    said = []
    if option["deprecated"]:
        said.append("deprecated")
    if option["secret"]:
        said.append("secret: never logged; ${env:NAME} and ${file:/path} are replaced")
    return said


def comment(text: str) -> list[str]:
    """Returns the text as comment lines of an INI file."""
    return textwrap.wrap(text, width=98, initial_indent="# ", subsequent_indent="# ")


def default_port(description: Description, before: str) -> str:
    """Returns `before` and the default port; "" for a protocol without ports."""
    port = description["default_port"]
    return f"{before}default port {port}" if port else ""


def config_file(name: str, description: Description) -> str:
    """Returns the text of cfg/cfg_<name>.txt: every option, commented out, with its default."""
    lines = [
        "# SPDX-License-Identifier: Apache-2.0",
        f"# {NOTICE}",
        "#",
        f"# Configuration of libnvds_{name}_proto.so"
        f" ({description['protocol']}, {description['library']}).",
        f"# Connection string: {description['connection']}{default_port(description, '; ')}.",
        *comment(f"Delivery: {description['delivery']}"),
        "#",
        "# Every option is listed here with its default; remove the # to change it.",
        "",
        "[message-broker]",
    ]
    for title, options in groups(description):
        if not options:
            continue
        lines += ["", f"# ---- {title} ----"]
        for option in options:
            extra = "".join(f" ({note})" for note in notes(option))
            values = f"Values: {values_text(option['type'])}"
            lines += ["", *comment(option["doc"] + extra), *comment(values)]
            lines += [
                f"#{option['name']}={option['default']}",
            ]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """Returns the text fit for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def option_table(options: list[Option]) -> list[str]:
    """Returns the lines of a table of options; each row has an anchor of the option's name."""
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for option in options:
        default = f"`{cell(option['default'])}`" if option["default"] else ""
        extra = "".join(f" ({note})" for note in notes(option))
        name, values = option["name"], cell(values_text(option["type"]))
        lines.append(
            f'| <a id="{name}"></a>[`{name}`](#{name}) | {default}'
            f" | {cell(option['doc'] + extra)}.<br>Values: {values} |"
        )
    return lines


def common_options(descriptions: dict[str, Description]) -> list[Option]:
    """Returns the options of every adaptor, as they are where no adaptor has its own version.

    Raises:
        ValueError: two adaptors describe one of them differently.
    """
    found: dict[str, Option] = {}
    for name, description in descriptions.items():
        for option in description["options"]:
            if option["common"] and found.setdefault(option["name"], option) != option:
                raise ValueError(f"{name} describes the common option {option['name']} differently")
    return list(found.values())


def common_page(descriptions: dict[str, Description]) -> str:
    """Returns the text of docs/options.md: the options of every adaptor, in groups."""
    lines = [
        "<!-- SPDX-License-Identifier: Apache-2.0 -->",
        f"<!-- {NOTICE} -->",
        "",
        "# Options of every adaptor",
        "",
        "They belong in the group `[message-broker]` of the adaptor's configuration file"
        " ([how to write one](configuration.md)). Dashes and underscores are the same. What an"
        " adaptor has besides, or has with another default, is on its own page:",
        *(f"[{title(name)}](options-{name}.md)," for name in list(descriptions)[:-1]),
        *(f"[{title(name)}](options-{name}.md)." for name in list(descriptions)[-1:]),
    ]
    rest = common_options(descriptions)
    for heading, patterns in GROUPS:
        taken = [each for each in rest if any(fnmatch(each["name"], p) for p in patterns)]
        rest = [each for each in rest if each not in taken]
        if taken:
            lines += ["", f"## {heading}", "", *option_table(taken)]
    if rest:
        names = ", ".join(option["name"] for option in rest)
        raise ValueError(f"GROUPS in generate.py has no group for: {names}")
    return "\n".join(lines) + "\n"


def options_page(name: str, description: Description, common: list[Option]) -> str:
    """Returns the text of docs/options-<name>.md: what is particular to this adaptor."""
    lines = [
        "<!-- SPDX-License-Identifier: Apache-2.0 -->",
        f"<!-- {NOTICE} -->",
        "",
        f"# Options of {title(name)}",
        "",
        f"`libnvds_{name}_proto.so`, protocol `{description['protocol']}`,"
        f" built on {description['library']}{default_port(description, ', ')}.",
        "",
        f"**Delivery.** {description['delivery']}",
        "",
        f"Connection string: {cell(description['connection'])}.",
        "",
        "Options belong in the group `[message-broker]` of the adaptor's configuration file"
        f" (a file with all of them: `cfg/cfg_{name}.txt`). Dashes and underscores are the same."
        " Besides these, the adaptor has the [options of every adaptor](options.md).",
    ]
    shared = {option["name"] for option in common}
    own = [option for option in description["options"] if not option["common"]]
    parts = [
        ("Its own", [o for o in own if not o["unavailable"] and o["name"] not in shared]),
        (
            "Options of every adaptor that differ here",
            [o for o in own if not o["unavailable"] and o["name"] in shared],
        ),
        (
            "Known, but not in this version (setting one to another value is an error)",
            [o for o in description["options"] if o["unavailable"]],
        ),
    ]
    for heading, options in parts:
        if options:
            lines += ["", f"## {heading}", "", *option_table(options)]
    return "\n".join(lines) + "\n"


def adaptor_names() -> list[str]:
    """Returns the short names of the adaptors in the source tree, sorted."""
    lists = ROOT.glob("csrc/adaptors/*/CMakeLists.txt")
    found = (re.findall(r"^dsmsg_add_adaptor\((\w+)", path.read_text(), re.M) for path in lists)
    return sorted(name for names in found for name in names)


def title(name: str) -> str:
    """Returns what people call an adaptor: the heading of its page, else its name."""
    path = ROOT / "docs" / f"{name}.md"
    if not path.exists():
        return name
    page = path.read_text(encoding="utf-8")
    return next(line[2:] for line in page.splitlines() if line.startswith("# "))


def adaptor_table(descriptions: dict[str, Description], docs: str) -> str:
    """Returns the table of all adaptors; `docs` is put in front of the names of pages."""
    rows = ["| adaptor | library | client library | OK means |", "|---|---|---|---|"]
    for name, about in descriptions.items():
        delivery = re.sub(r"^OK(: | when )", "", about["delivery"])
        rows.append(
            f"| [{title(name)}]({docs}{name}.md) | `libnvds_{name}_proto.so` | {about['library']}"
            f" | {cell(delivery)} |"
        )
    return "\n".join(rows) + "\n"


def lists(descriptions: dict[str, Description]) -> dict[Path, str]:
    """Returns the files that list all adaptors, with their texts."""
    names = adaptor_names()
    files = {ROOT / "python" / "dsmsg" / "_settings" / "__init__.py": package_module(names)}
    if missing := sorted(set(names) - descriptions.keys()):
        print(f"generate: not built, so that the tables are left alone: {', '.join(missing)}")
        return files
    files[ROOT / "docs" / "options.md"] = common_page(descriptions)
    for path, docs in ((ROOT / "README.md", "docs/"), (ROOT / "docs" / "index.md", "")):
        text = path.read_text(encoding="utf-8")
        table = adaptor_table(descriptions, docs).replace("\\", "\\\\")
        files[path], count = TABLE.subn(rf"\1{table}\2", text)
        if count != 1:
            raise ValueError(f"{path.name} lacks the marks of the table of adaptors")
    return files


def maps_page(folder: Path) -> dict[Path, str]:
    """Returns docs/maps.md with the tables of values, if dsmsg._native was built."""
    names = [folder / "python" / f"_native{suffix}" for suffix in EXTENSION_SUFFIXES]
    modules = [each for each in names if each.exists()]
    if not modules:
        print("generate: dsmsg._native is not built, so that docs/maps.md is left alone")
        return {}
    spec = importlib.util.spec_from_file_location("dsmsg._native", modules[0])
    if spec is None or spec.loader is None:
        raise ValueError(f"{modules[0]} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = ROOT / "docs" / "maps.md"
    text = path.read_text(encoding="utf-8")
    tables = module.map_tables().replace("\\", "\\\\")
    text, count = VALUES.subn(rf"\1{tables}\2", text)
    if count != 1:
        raise ValueError(f"{path.name} lacks the marks of the tables of values")
    return {path: text}


def main() -> int:
    """Writes or checks the files; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the files made from the option tables.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if stale")
    parser.add_argument("folder", type=Path, help="folder with the built adaptors")
    arguments = parser.parse_args()

    libraries = sorted(arguments.folder.glob("libnvds_*_proto.so"))
    if not libraries:
        print(f"generate: there is no libnvds_*_proto.so in {arguments.folder}", file=sys.stderr)
        return 2
    descriptions = {
        library.name[len("libnvds_") : -len("_proto.so")]: describe(library)
        for library in libraries
    }
    files = {**lists(descriptions), **maps_page(arguments.folder)}
    troubleshooting = ROOT / "docs" / "troubleshooting.md"
    files[troubleshooting] = error_texts.fill(troubleshooting.read_text(encoding="utf-8"))
    common = common_options(descriptions)
    for name, description in descriptions.items():
        files[ROOT / "cfg" / f"cfg_{name}.txt"] = config_file(name, description)
        files[ROOT / "docs" / f"options-{name}.md"] = options_page(name, description, common)
        module = settings_module(name, description)
        files[ROOT / "python" / "dsmsg" / "_settings" / f"{name}.py"] = module

    stale = []
    for path, text in files.items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.relative_to(ROOT))
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{path}: {'is stale (run: make generate)' if arguments.check else 'written'}")
    print(f"generate: {len(files) - len(stale)} of {len(files)} files were up to date")
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
