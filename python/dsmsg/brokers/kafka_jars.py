# SPDX-License-Identifier: Apache-2.0
"""Finds Apache Kafka's jars: in KAFKA_HOME, else in a cache that is filled once from Maven Central.

Processes that need the cache at the same time wait for the one that fills it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from dsmsg.brokers._base import BrokerError

__all__ = ["KAFKA_VERSION", "cache_folder", "find_java", "kafka_libs"]

KAFKA_VERSION = os.environ.get("DSMSG_KAFKA_VERSION", "3.9.1")
_SCALA_VERSION = "2.13"
_REQUIREMENTS = (
    ("org.apache.kafka", f"kafka_{_SCALA_VERSION}", KAFKA_VERSION),
    ("org.slf4j", "slf4j-reload4j", "1.7.36"),  # the logger; Kafka brings the interface only
)
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_FETCH_TIMEOUT_S = 900.0
_ATTEMPTS = 3


def cache_folder() -> Path:
    """Returns `$XDG_CACHE_HOME/dsmsg` or `~/.cache/dsmsg`; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "dsmsg"


def find_java() -> str:
    """Returns the java program: that of JAVA_HOME, else the first of PATH.

    Raises:
        BrokerError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        program = Path(home) / "bin" / "java"
        if os.access(program, os.X_OK):
            return str(program)
        raise BrokerError(
            f"kafka: JAVA_HOME is {home}, but {program} is not a program "
            f"(correct or unset JAVA_HOME)"
        )
    found = shutil.which("java")
    if not found:
        raise BrokerError(
            "kafka: cannot find java (Debian, Ubuntu: apt-get install default-jre-headless; "
            "or set JAVA_HOME)"
        )
    return found


def kafka_libs(*, fetch: bool = True) -> Path:
    """Returns the folder with Kafka's jars, fetching them first where needed.

    Args:
        fetch: False: raise instead of fetching.

    Raises:
        BrokerError: KAFKA_HOME is wrong, or the jars cannot be fetched.
    """
    home = os.environ.get("KAFKA_HOME")
    if home:
        libs = Path(home) / "libs"
        if not any(libs.glob("kafka_*.jar")):
            raise BrokerError(
                f"kafka: KAFKA_HOME is {home}, but {libs} holds no kafka_*.jar (KAFKA_HOME is "
                f"the folder of an unpacked Apache Kafka; unset it to fetch {KAFKA_VERSION} from "
                f"Maven Central)"
            )
        return libs
    folder = cache_folder() / f"kafka-{KAFKA_VERSION}"
    libs = folder / "libs"
    if libs.is_dir():
        return libs
    if not fetch:
        raise BrokerError(
            f"kafka: no jars in {folder} (fetch them with `python -m dsmsg.brokers fetch kafka`)"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / f"{folder.name}.lock"):
        if not libs.is_dir():
            _fetch_into(folder)
    return libs


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w", encoding="ascii") as lock:
        told = False
        deadline = time.monotonic() + _FETCH_TIMEOUT_S * _ATTEMPTS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    _say("kafka: another process is fetching the jars; waiting for it")
                    told = True
                if time.monotonic() > deadline:
                    raise BrokerError(
                        f"kafka: waited in vain for the process that holds {path} "
                        f"(end it, or remove the file)"
                    ) from None
                time.sleep(0.1)
        yield


def _fetch_into(folder: Path) -> None:
    maven = shutil.which("mvn")
    if not maven:
        raise BrokerError(
            "kafka: cannot find the program mvn, which fetches Kafka's jars (Debian, Ubuntu: "
            "apt-get install maven; or set KAFKA_HOME to an unpacked Apache Kafka)"
        )
    for stale in folder.parent.glob(f"{folder.name}.part-*"):
        shutil.rmtree(stale, ignore_errors=True)  # of a process that was killed; we hold the lock
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
    try:
        (work / "pom.xml").write_text(_pom(), encoding="utf-8")
        for attempt in range(1, _ATTEMPTS + 1):
            error = _run_maven(maven, work)
            if not error:
                break
            if attempt < _ATTEMPTS:
                _say(
                    f"kafka: attempt {attempt} of {_ATTEMPTS} failed, trying again: {error[-200:]}"
                )
        else:
            raise BrokerError(
                f"kafka: cannot fetch Apache Kafka {KAFKA_VERSION} with {maven}: {error} "
                f"(is the network there? a proxy or mirror belongs into ~/.m2/settings.xml; "
                f"or set KAFKA_HOME to an unpacked Apache Kafka)"
            )
        (work / "maven.log").unlink(missing_ok=True)
        work.rename(folder)  # all or nothing
    finally:
        shutil.rmtree(work, ignore_errors=True)
    size = sum(jar.stat().st_size for jar in (folder / "libs").iterdir())
    _say(f"kafka: {len(list((folder / 'libs').iterdir()))} jars, {size / 1e6:.0f} MB, in {folder}")


def _pom() -> str:
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version></dependency>"
        for group, artifact, version in _REQUIREMENTS
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>dsmsg</groupId><artifactId>kafka-jars</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>\n"
    )


def _run_maven(maven: str, work: Path) -> str:
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
    _say(f"kafka: fetching Apache Kafka {KAFKA_VERSION} from Maven Central (about 50 MB, once)")
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
    timer = threading.Timer(_FETCH_TIMEOUT_S, process.kill)
    timer.start()
    try:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            match = re.search(r"Downloaded from \S+: \S+/(\S+\.jar)", line)
            if match:
                jars += 1
                _progress(f"kafka: {jars} jars fetched, last {match.group(1)}")
        code = process.wait()
    finally:
        timed_out = timer.finished.is_set()
        timer.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
        _progress("")
    if code == 0 and any((work / "libs").glob("kafka_*.jar")):
        return ""
    if timed_out:
        return f"it was not done within {_FETCH_TIMEOUT_S:g} s"
    errors = [re.sub(r"\x1b\[[0-9;]*m", "", text) for text in lines if "ERROR" in text]
    return " ".join((errors or lines)[:3]) or f"mvn ended with exit code {code}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _progress(text: str) -> None:
    """Rewrites the progress line of a terminal; writes nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:100]}", end="", file=sys.stderr, flush=True)
