# SPDX-License-Identifier: Apache-2.0
"""Checks the interface of one adaptor library: its symbols, its flags and the libraries it needs.

Usage: check_library.py <library> --include <folder with the headers> --client [<library>...]

Prints a line for each rule that is broken and ends with exit code 1, or prints what was checked.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

#: Libraries that a drop-in file may need besides its client library: GLib, OpenSSL, SQLite and the
#: runtimes.
ALLOWED_NEEDED = "|".join(
    [
        *(r"libglib-2\.0", "libssl", "libcrypto", "libsqlite3"),
        *(r"libstdc\+\+", "libgcc_s", "libm", "libc", "libpthread", "libdl", "librt"),
    ]
)


def run(*command: str) -> str:
    """Returns what a program of binutils prints, in English.

    Raises:
        OSError: the program is not there (install binutils).
        subprocess.CalledProcessError: it failed.
    """
    environment = {"LC_ALL": "C", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment, timeout=60
    ).stdout


def declared(include: Path) -> set[str]:
    """Returns the functions that the two headers of the contract declare."""
    text = "".join(
        (include / name).read_text(encoding="utf-8") for name in ("nvds_msgapi.h", "dsmsg_ext.h")
    )
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return set(re.findall(r"\b((?:nvds_msgapi|dsmsg)_\w+)\(", text))


def symbol_errors(library: str, include: Path) -> list[str]:
    """Checks the exported symbols: all of the contract, and nothing else."""
    exported = {
        line.split()[-1].split("@")[0]
        for line in run("nm", "-D", "--defined-only", library).splitlines()
        if line.strip()
    }
    wanted = declared(include)
    if len([name for name in wanted if name.startswith("nvds_msgapi_")]) != 9:
        return [f"the headers in {include} do not declare nine nvds_msgapi functions: {wanted}"]
    errors = [
        f"exports {name}, which is not in the contract (linked without cmake/adaptor.map?)"
        for name in sorted(exported - wanted)
    ]
    errors += [f"{name} is not exported" for name in sorted(wanted - exported)]
    return errors


def dynamic_errors(library: str, clients: list[str]) -> list[str]:
    """Checks the dynamic section: needed libraries, flags, no path of the build machine."""
    dynamic = run("readelf", "--dynamic", "--wide", library)
    allowed = re.compile(
        rf"(?:{'|'.join([ALLOWED_NEEDED, *map(re.escape, clients)])})\.so(?:\.[\d.]+)?"
    )
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    errors = [
        f"needs {name}, which a machine with only the client library may not have"
        for name in needed
        if not allowed.fullmatch(name) and not name.startswith("ld-linux")
    ]
    if clients and not any(
        name.startswith(client + ".so") for client in clients for name in needed
    ):
        errors.append(f"does not need its client library ({', '.join(clients)}), but {needed}")
    if not re.search(r"\(FLAGS_1\).*\bNODELETE\b", dynamic):
        errors.append("is not marked nodelete (linked without -Wl,-z,nodelete?)")
    if re.search(r"\(TEXTREL\)", dynamic):
        errors.append("has text relocations (compiled without -fPIC?)")
    errors += [
        f"carries the search path {path}"
        for path in re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", dynamic)
    ]
    return errors


def binding_errors(library: str) -> list[str]:
    """Checks that no call to the library's own exports is bound by name (-Bsymbolic-functions)."""
    relocations = run("readelf", "--relocs", "--wide", library)
    names = set(re.findall(r"\s((?:nvds_msgapi|dsmsg)_\w+)(?:@\S+)? \+ ", relocations))
    return [
        f"{name} is bound by name when loading: another adaptor's may answer"
        " (linked without -Wl,-Bsymbolic-functions?)"
        for name in sorted(names)
    ]


def exit_errors(library: str) -> list[str]:
    """Checks that nothing is destroyed at exit, when threads of a connection may still run."""
    undefined = {line.split()[-1].split("@")[0] for line in run("nm", "-D", library).splitlines()}
    return [
        f"calls {name}: a static object is destroyed at exit while threads still use it"
        for name in sorted(undefined & {"__cxa_atexit", "atexit"})
    ]


def main() -> int:
    """Checks the library named on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--include", type=Path, required=True)
    parser.add_argument("--client", nargs="*", required=True, help="as librdkafka")
    arguments = parser.parse_args()
    errors = [
        *symbol_errors(arguments.library, arguments.include),
        *dynamic_errors(arguments.library, arguments.client),
        *binding_errors(arguments.library),
        *exit_errors(arguments.library),
    ]
    name = Path(arguments.library).name
    for error in errors:
        print(f"{name}: {error}")
    if not errors:
        print(f"{name}: symbols, needed libraries, flags and bindings are correct")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
