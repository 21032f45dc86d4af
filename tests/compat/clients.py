# SPDX-License-Identifier: Apache-2.0
"""The client libraries below the adaptors, and another librdkafka for the Kafka adaptor."""

from __future__ import annotations

import ctypes
import os
import tempfile
from pathlib import Path

import confluent_kafka

__all__ = ["client_version", "wheel_environment"]


def client_version(protocol: str) -> str:
    """Returns name and version of the library that the adaptor of a protocol is linked with."""
    if protocol == "mqtt":
        number = ctypes.CDLL("libmosquitto.so.1").mosquitto_lib_version(None, None, None)
        return f"libmosquitto {number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
    if protocol == "kafka":
        version = ctypes.CDLL("librdkafka.so.1").rd_kafka_version_str
        version.restype = ctypes.c_char_p
        return f"librdkafka {version().decode()}"
    if protocol == "amqp":
        version = ctypes.CDLL("librabbitmq.so.4").amqp_version
        version.restype = ctypes.c_char_p
        return f"rabbitmq-c {version().decode()}"
    if protocol == "http":
        curl = ctypes.CDLL("libcurl.so.4").curl_version
        curl.restype = ctypes.c_char_p
        return str(curl().decode().split()[0].replace("/", " "))
    return {"redis": "hiredis"}.get(protocol, "none")


def wheel_environment() -> dict[str, str]:
    """Returns variables with which the Kafka adaptor gets the wheel's librdkafka."""
    package = Path(confluent_kafka.__file__).parent
    (library,) = package.parent.glob("confluent_kafka.libs/librdkafka-*.so*")
    folder = Path(tempfile.gettempdir()) / f"dsmsg-compat-librdkafka-{os.getuid()}"
    folder.mkdir(exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder) as work:  # others may use it at this moment
        link = Path(work) / "librdkafka.so.1"
        link.symlink_to(library)
        link.replace(folder / link.name)
    return {"LD_LIBRARY_PATH": f"{folder}:{os.environ.get('LD_LIBRARY_PATH', '')}".rstrip(":")}
