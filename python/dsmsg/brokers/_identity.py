# SPDX-License-Identifier: Apache-2.0
"""A certificate for a trial server, and the error that all of this package raises.

Threads: any thread, one at a time for each folder.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["USER", "BrokerError", "Identity", "make_identity"]

USER = "dsmsg"
"""Name of the user of `--password`."""
_DAYS = "30"
_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class BrokerError(RuntimeError):
    """A broker cannot be started, stopped or fetched; the text says what to try."""


@dataclass(frozen=True)
class Identity:
    """PEM files: the authority's certificate, the server's certificate and key, and both in one."""

    ca: Path
    cert: Path
    key: Path
    both: Path


def make_identity(folder: Path) -> Identity:
    """Makes an authority and a certificate for localhost and 127.0.0.1, unless they are there.

    Raises:
        BrokerError: the program openssl is missing or failed.
    """
    made = Identity(*(folder / name for name in ("ca.pem", "server.pem", "server.key", "both.pem")))
    if made.both.exists():
        return made
    request, extensions = folder / "server.csr", folder / "server.ext"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n", encoding="ascii")
    authority = folder / "ca.key"
    _openssl(
        "req",
        "-x509",
        *_CURVE,
        "-keyout",
        authority,
        "-out",
        made.ca,
        "-days",
        _DAYS,
        "-subj",
        "/CN=dsmsg trial authority",
    )
    _openssl("req", *_CURVE, "-keyout", made.key, "-out", request, "-subj", "/CN=localhost")
    _openssl(
        "x509",
        "-req",
        "-in",
        request,
        "-CA",
        made.ca,
        "-CAkey",
        authority,
        "-CAcreateserial",
        "-out",
        made.cert,
        "-days",
        _DAYS,
        "-extfile",
        extensions,
    )
    authority.unlink()
    both = made.key.read_bytes() + made.cert.read_bytes()
    made.both.touch(mode=0o600)
    made.both.write_bytes(both)
    return made


def _openssl(*arguments: object) -> None:
    command = ["openssl", *map(str, arguments)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        raise BrokerError(
            f"cannot make a certificate: openssl: {error.strerror} (apt-get install openssl)"
        ) from error
    if result.returncode != 0:
        raise BrokerError(f"cannot make a certificate: openssl: {result.stderr.strip()[-500:]}")
