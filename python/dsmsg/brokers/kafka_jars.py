# SPDX-License-Identifier: Apache-2.0
"""Finds Apache Kafka's jars: in KAFKA_HOME, else in a cache, filled once from Maven Central."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from dsmsg.brokers._base import BrokerError
from dsmsg.brokers._cache import cache_folder
from dsmsg.brokers._maven import find_java, maven_libs

__all__ = [
    "KAFKA4_VERSION",
    "KAFKA_VERSION",
    "cache_folder",
    "class_archive",
    "find_java",
    "kafka_libs",
]

KAFKA_VERSION = os.environ.get("DSMSG_KAFKA_VERSION", "3.9.1")
KAFKA4_VERSION = "4.4.0"
_SCALA_VERSION = "2.13"


def kafka_libs(version: str = KAFKA_VERSION, *, fetch: bool = True) -> Path:
    """Returns the folder with Kafka's jars, fetching them first where needed.

    Args:
        version: KAFKA_HOME, where it is set, takes the place of KAFKA_VERSION alone.
        fetch: False: raise instead of fetching.

    Raises:
        BrokerError: KAFKA_HOME is wrong, or the jars cannot be fetched.
    """
    home = os.environ.get("KAFKA_HOME") if version == KAFKA_VERSION else None
    if home:
        libs = Path(home) / "libs"
        if not any(libs.glob("kafka_*.jar")):
            raise BrokerError(
                f"kafka: KAFKA_HOME is {home}, but {libs} contains no kafka_*.jar (KAFKA_HOME is "
                f"the folder of an unpacked Apache Kafka; unset it to fetch {version} from "
                f"Maven Central)"
            )
        return libs
    artifacts = [
        ("org.apache.kafka", f"kafka_{_SCALA_VERSION}", version),
        ("org.slf4j", "slf4j-reload4j", "1.7.36"),  # the logger; Kafka brings the interface only
    ]
    name = f"kafka-{version}"
    hint = "set KAFKA_HOME to an unpacked Apache Kafka"
    found = maven_libs(name, artifacts, fetch=fetch, hint=hint)
    if found is None:
        raise BrokerError(
            f"kafka: no jars in {cache_folder() / name} "
            f"(fetch them with `python -m dsmsg.brokers fetch kafka`)"
        )
    return found


def class_archive(java: str, libs: Path) -> Path | None:
    """Returns the file where a JVM keeps loaded classes for later ones; it may not exist yet.

    With it, to format and start a server takes a fifth less processor time.

    Args:
        java: the program; another one has another file.
        libs: folder with the jars.

    Returns:
        None where the jars are not those of the cache.
    """
    if libs.parent.parent != cache_folder():
        return None
    program = Path(java).resolve()
    key = hashlib.sha256(f"{program} {program.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    return libs.parent / f"classes-{key}.jsa"
