# SPDX-License-Identifier: Apache-2.0
"""Java programs from Maven Central: their jars, and the java that runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from dsmsg.brokers._base import BrokerError
from dsmsg.brokers._cache import FETCH_TIMEOUT_S, cached, say

__all__ = ["Artifact", "find_java", "maven_libs"]

Artifact = tuple[str, str, str]
"""Group, artifact, version."""

_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"


def find_java(what: str = "kafka") -> str:
    """Returns the java program: that of JAVA_HOME, else the first of PATH.

    Args:
        what: begins the error's text.

    Raises:
        BrokerError: no java was found.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        program = Path(home) / "bin" / "java"
        if os.access(program, os.X_OK):
            return str(program)
        raise BrokerError(
            f"{what}: JAVA_HOME is {home}, but {program} is not a program "
            f"(correct or unset JAVA_HOME)"
        )
    found = shutil.which("java")
    if not found:
        raise BrokerError(
            f"{what}: cannot find java (Debian, Ubuntu: apt-get install default-jre-headless; "
            "or set JAVA_HOME)"
        )
    return found


def maven_libs(
    name: str,
    artifacts: Sequence[Artifact],
    alone: Sequence[Artifact] = (),
    *,
    managed: Sequence[Artifact] = (),
    fetch: bool = True,
    hint: str = "",
) -> Path | None:
    """Returns the folder with the jars of some artifacts and their dependencies.

    Args:
        name: of the folder in the cache: the server, a dash, the version.
        artifacts: what to fetch.
        alone: what to fetch without its dependencies.
        managed: poms that say which versions the dependencies have.
        fetch: False: return None if it is not in the cache yet.
        hint: what else to try when it cannot be fetched.

    Raises:
        BrokerError: it cannot be fetched.
    """
    what = name.partition("-")[0]

    def fill(work: Path) -> str:
        maven = shutil.which("mvn")
        if not maven:
            raise BrokerError(
                f"{what}: cannot find the program mvn, which fetches the jars (Debian, Ubuntu: "
                f"apt-get install maven{hint and '; or ' + hint})"
            )
        (work / "pom.xml").write_text(_pom(artifacts, alone, managed), encoding="utf-8")
        say(f"{what}: fetching {name} from Maven Central (once)")
        error = _run_maven(what, maven, work)
        if error:
            return (
                f"{error} (is the network up? a proxy or mirror belongs in "
                f"~/.m2/settings.xml{hint and '; or ' + hint})"
            )
        jars = list((work / "libs").iterdir())
        size = sum(jar.stat().st_size for jar in jars)
        say(f"{what}: {len(jars)} jars, {size / 1e6:.0f} MB, in the cache")
        return ""

    folder = cached(name, fill, fetch=fetch)
    return None if folder is None else folder / "libs"


def _pom(
    artifacts: Sequence[Artifact], alone: Sequence[Artifact], managed: Sequence[Artifact]
) -> str:
    nothing = "<groupId>*</groupId><artifactId>*</artifactId>"
    without = f"<exclusions><exclusion>{nothing}</exclusion></exclusions>"

    def listed(more: str, wanted: Sequence[Artifact]) -> str:
        return "".join(
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version>{more}</dependency>"
            for group, artifact, version in wanted
        )

    imported = listed("<type>pom</type><scope>import</scope>", managed)
    management = f"<dependencyManagement><dependencies>{imported}</dependencies>"
    management = f"{management}</dependencyManagement>" if managed else ""
    dependencies = listed("", artifacts) + listed(without, alone)
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>dsmsg</groupId><artifactId>jars</artifactId><version>1</version>"
        f"<packaging>pom</packaging>{management}<dependencies>{dependencies}</dependencies>"
        "</project>\n"
    )


def _run_maven(what: str, maven: str, work: Path) -> str:
    """Runs Maven with a progress line; returns "" or why it failed."""
    command = [
        maven,
        "--batch-mode",
        "--strict-checksums",
        f"--file={work / 'pom.xml'}",
        _COPY_GOAL,
        "-DincludeScope=runtime",
        f"-DoutputDirectory={work / 'libs'}",
    ]
    lines: list[str] = []
    jars = 0
    process = subprocess.Popen(
        command,
        cwd=work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    timer = threading.Timer(FETCH_TIMEOUT_S, process.kill)
    timer.start()
    try:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            match = re.search(r"Downloaded from \S+: \S+/(\S+\.jar)", line)
            if match:
                jars += 1
                _progress(f"{what}: {jars} jars fetched, last {match.group(1)}")
        code = process.wait()
    finally:
        timed_out = timer.finished.is_set()
        timer.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
        _progress("")
    if code == 0 and any((work / "libs").glob("*.jar")):
        return ""
    if timed_out:
        return f"it was not done within {FETCH_TIMEOUT_S:g} s"
    errors = [re.sub(r"\x1b\[[0-9;]*m", "", text) for text in lines if "ERROR" in text]
    return " ".join((errors or lines)[:3]) or f"mvn ended with exit code {code}"


def _progress(text: str) -> None:
    """Rewrites the progress line of a terminal; writes nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:100]}", end="", file=sys.stderr, flush=True)
