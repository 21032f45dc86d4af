# SPDX-License-Identifier: Apache-2.0
"""CURVE, ZeroMQ's encryption: the right keys, wrong ones, none; no key is ever shown."""

from __future__ import annotations

import queue
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from dsmsg import Adaptor
from dsmsg.brokers._process import free_port
from security_rigs import CONNECT_TIMEOUT_S, SUCCESS_TIMEOUT_S, assert_no_secret, run


@dataclass(frozen=True)
class Keys:
    """A pair of CURVE keys (Z85 text)."""

    public: str
    secret: str


BINDING = Keys(
    "T!j*n[uwm4O?s6gUg=tarCa(WYLHJB1=e0467M]6", "Qo?o!tXEbaG14ynabA-C4xU2Yn{1vfNK<FLEMK^n"
)
CONNECTING = Keys(
    "p5k4I0}V3?D.d20lywo<nIN>F0ru8m+8Upg^JB^2", "hL)Gbl}e{uduZ&RNj.-^/v7TAN]K>b]?g%qj{l?q"
)
OWN = {"curve-public-key": CONNECTING.public, "curve-secret-key": CONNECTING.secret}


@dataclass(frozen=True)
class Case:
    """What the connecting side gets.

    Attributes:
        settings: options.
        says: regular expression that the error holds; empty: it works.
        environment: variables to set.
    """

    settings: Mapping[str, str]
    says: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


CASES = {
    "a-pair-of-its-own-is-made": Case({"curve-server-key": BINDING.public}),
    "own-pair": Case({"curve-server-key": BINDING.public, **OWN}),
    "secret-from-environment": Case(
        {"curve-server-key": BINDING.public, **OWN, "curve-secret-key": "${env:MY_KEY}"},
        environment={"MY_KEY": CONNECTING.secret},
    ),
    "key-of-another-server": Case({"curve-server-key": CONNECTING.public}, "curve-server-key"),
    "no-key": Case({}, "does it ask for CURVE|give both sides curve- keys"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_curve(case: Case) -> None:
    port = free_port()
    received: queue.Queue[bytes] = queue.Queue()
    server = {
        "subscribe_socket_type": "PULL",
        "curve-public-key": BINDING.public,
        "curve-secret-key": BINDING.secret,
    }
    with Adaptor("zmq").connect(f"zmq://tcp://127.0.0.1:{port}", {**server, "bind": "1"}) as worker:
        worker.subscribe("any", lambda message: received.put(message.payload))
        limit = CONNECT_TIMEOUT_S if case.says else SUCCESS_TIMEOUT_S
        outcome = run(
            "zmq",
            f"zmq://tcp://127.0.0.1:{port}",
            {"connect-timeout": f"{limit:g}s", "send_timeout": "120s", **case.settings},
            payload="hello",
            environment=case.environment,
        )
        if not case.says:
            assert outcome.outcome == "ok", outcome
            assert received.get(timeout=300) == b"hello"
    assert_no_secret(outcome, (BINDING.secret, CONNECTING.secret))
    if case.says:
        assert outcome.outcome == "null", outcome
        assert re.search(case.says, outcome.error), outcome.error
        assert outcome.answer["seconds"] < limit + 10
        assert received.empty()
