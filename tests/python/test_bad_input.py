# SPDX-License-Identifier: Apache-2.0
"""An error in a connection string or a file is one clear message, before anything is dialled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from dsmsg.brokers._process import free_port
from security_rigs import RIGS, WRONG_PASSWORD, Pki, assert_no_secret, run
from test_security_zmq import BINDING, CONNECTING

WITH_TLS = tuple(RIGS)
SCHEMES = {**{name: rig.scheme for name, rig in RIGS.items()}, "zmq": "zmq"}


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@dataclass(frozen=True)
class BadInput:
    """Settings that are refused before anything is dialled.

    Attributes:
        says: regular expression that the error holds.
        config: settings; a function of the certificates where it needs them.
        conn_str: `PORT` is one on which nothing listens.
        only: the adaptors that it is for; empty: all.
        as_nobody: see `security_rigs.run`.
    """

    says: str
    config: Callable[[Pki], Mapping[str, object]] = lambda pki: {}
    conn_str: str = "localhost;PORT"
    only: tuple[str, ...] = ()
    as_nobody: bool = False


def identity(cert: str, key: str, **more: object) -> Callable[[Pki], Mapping[str, object]]:
    """A certificate with the key of another one."""
    return lambda pki: {
        **pki.trust,
        "tls-certfile": getattr(pki, cert).cert,
        "tls-keyfile": getattr(pki, key).key,
        **more,
    }


def sealed(pki: Pki) -> Mapping[str, object]:
    """A file that no user may read."""
    path = pki.authority.cafile.with_name("sealed.pem")
    path.touch(mode=0)
    return {**pki.trust, "tls-cafile": path}


BAD_INPUT: dict[str, BadInput] = {
    "missing-ca-file": BadInput(
        "tls-cafile=/no/such/file: cannot be read: No such file",
        lambda pki: {**pki.trust, "tls-cafile": "/no/such/file"},
        only=WITH_TLS,
    ),
    "missing-certificate": BadInput(
        "tls-certfile=/no/such/file: cannot be read: No such file",
        lambda pki: {
            **pki.trust,
            "tls-certfile": "/no/such/file",
            "tls-keyfile": pki.client.key,
        },
        only=WITH_TLS,
    ),
    "missing-key": BadInput(
        "tls-certfile is set without tls-keyfile",
        lambda pki: {**pki.trust, "tls-certfile": pki.client.cert},
        only=WITH_TLS,
    ),
    "unreadable-file": BadInput(
        "tls-cafile=.*cannot be read: Permission",
        sealed,
        as_nobody=True,
        only=WITH_TLS,
    ),
    "key-of-another": BadInput(
        "tls-keyfile=.*does not belong to the certificate",
        identity("client", "foreign_client"),
        only=WITH_TLS,
    ),
    "locked-key-without-password": BadInput(
        "tls-keyfile=.*set tls-key-password",
        identity("locked", "locked"),
        only=WITH_TLS,
    ),
    "wrong-key-password": BadInput(
        "tls-key-password does not open",
        identity("locked", "locked", **{"tls-key-password": WRONG_PASSWORD}),
        only=WITH_TLS,
    ),
    "no-certificate": BadInput(
        "tls-cafile=.*no certificate in PEM form",
        lambda pki: {**pki.trust, "tls-cafile": pki.client.key},
        only=WITH_TLS,
    ),
    "tls-options-without-tls": BadInput(
        "tls-cafile is set but TLS is off",
        lambda pki: {"tls-cafile": pki.authority.cafile},
        only=WITH_TLS,
    ),
    "named-variable-is-not-set": BadInput(
        "NO_SUCH_VARIABLE", lambda pki: {"password": "${env:NO_SUCH_VARIABLE}"}
    ),
    "password-file-is-not-there": BadInput(
        "/no/such/file", lambda pki: {"password": "${file:/no/such/file}"}
    ),
    "bad-number": BadInput("connect-timeout.*soon", lambda pki: {"connect-timeout": "soon"}),
    "bad-flag": BadInput("enable-tls.*perhaps", lambda pki: {"enable-tls": "perhaps"}),
    "port-out-of-range": BadInput("not a port \\(1 to 65535\\)", conn_str="localhost;70000"),
    "no-port": BadInput("not a port \\(1 to 65535\\)", conn_str="localhost;https"),
    "scheme-of-another": BadInput("scheme", conn_str="gopher://localhost:70"),
    "empty-url": BadInput("nothing follows ://", conn_str="SCHEME://"),
    "open-bracket": BadInput("bracket", conn_str="SCHEME://[::1:99", only=WITH_TLS),
    "bad-escape": BadInput(
        "percent-encoded", conn_str="SCHEME://a:wr0ng%ZZ@localhost:99", only=WITH_TLS
    ),
    "no-host": BadInput("host is missing", conn_str=";99"),
    "open-bracket-after-transport": BadInput(
        "bracket.*not closed", conn_str="zmq://tcp://[::1:99", only=("zmq",)
    ),
    "login-in-address": BadInput(
        "host name", conn_str="zmq://tcp://a:wr0ng%ZZ@localhost:99", only=("zmq",)
    ),
    "tls-without-tls-library": BadInput(
        "enable-tls = 1: not available: ZeroMQ has no TLS: use the curve-",
        lambda pki: {"enable-tls": 1},
        only=("zmq",),
    ),
    "short-curve-key": BadInput(
        "curve-server-key: .*40", lambda pki: {"curve-server-key": "short"}, only=("zmq",)
    ),
    "curve-key-of-another": BadInput(
        "curve-public-key: it does not belong",
        lambda pki: {
            "curve-server-key": BINDING.public,
            "curve-public-key": BINDING.public,
            "curve-secret-key": CONNECTING.secret,
        },
        only=("zmq",),
    ),
    "unknown-mechanism": BadInput(
        "sasl-mechanism=KERBEROS: must be",
        lambda pki: {"sasl-mechanism": "KERBEROS"},
        only=("kafka",),
    ),
    "mechanism-without-user": BadInput(
        "needs a user name and a password", lambda pki: {"sasl-mechanism": "PLAIN"}, only=("kafka",)
    ),
    "protocol-twice": BadInput(
        "security.protocol contradicts enable-tls",
        lambda pki: {**pki.trust, "proto-cfg": "security.protocol=plaintext"},
        only=("kafka",),
    ),
    "authority-twice": BadInput(
        "ssl.ca.location contradicts tls-cafile",
        lambda pki: {**pki.trust, "proto-cfg": "ssl.ca.location=/etc/ssl/certs"},
        only=("kafka",),
    ),
    "sentinel-password-alone": BadInput(
        "sentinel-password is set without sentinel-master",
        lambda pki: {"sentinel-password": WRONG_PASSWORD},
        only=("redis",),
    ),
}


def bad_input_cases() -> Iterator[object]:
    for name in SCHEMES:
        for case_name, case in BAD_INPUT.items():
            if not case.only or name in case.only:
                yield pytest.param(name, case, id=f"{name}-{case_name}")


@pytest.mark.parametrize(("name", "case"), bad_input_cases())
def test_bad_input(name: str, case: BadInput, pki: Pki) -> None:
    conn_str = case.conn_str.replace("PORT", str(free_port()))
    outcome = run(
        name,
        conn_str.replace("SCHEME", SCHEMES[name]),
        case.config(pki),
        as_nobody=case.as_nobody,
    )
    assert_no_secret(outcome)
    assert outcome.outcome == "null", outcome
    assert re.search(case.says, outcome.error), outcome.error
    errors = [line for line in outcome.log.splitlines() if " error " in line]
    assert len(errors) == 1, outcome.log
    assert re.search(case.says, errors[0]), errors[0]
    assert outcome.answer["seconds"] < 1, "nothing is dialled"


@pytest.mark.parametrize("name", list(SCHEMES))
def test_unknown_option_is_a_warning_with_the_nearest_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config.txt"  # in a dict it is an error
    path.write_text("[message-broker]\ntls-cafle=x\nconnect-timeout=1s\n")
    outcome = run(name, f"localhost;{free_port()}", path)
    warnings = [line for line in outcome.log.splitlines() if "tls-cafle" in line]
    assert len(warnings) == 1, outcome.log
    assert " warn " in warnings[0]
    assert "tls-cafile" in warnings[0]
