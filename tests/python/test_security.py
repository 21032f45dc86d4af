# SPDX-License-Identifier: Apache-2.0
"""TLS, logins and rights of every adaptor against real servers; every refusal says why.

Every case runs in a separate process with the most verbose log, and no secret may appear in any
output of the process.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from certificates import KEY_PASSWORD
from security_rigs import (
    CONNECT_TIMEOUT_S,
    RIGS,
    SUCCESS_TIMEOUT_S,
    USERS,
    WRONG_PASSWORD,
    Pki,
    Rig,
    assert_no_secret,
    run,
)

Settings = Callable[[Rig], Mapping[str, object]]

OK, NULL, ERR = "ok", "null", "err"
CREDENTIALS = "(?i)WRONGPASS|ACCESS_REFUSED|authentication failed|not authori[sz]ed"
RIGHTS = "(?i)NOPERM|ACCESS_REFUSED|not authori[sz]ed|authorization failed"


@dataclass(frozen=True)
class Case:
    """One attempt.

    Attributes:
        scene: listener, see `Rig`.
        settings: options of the adaptor.
        outcome: "ok", "null" (no handle) or "err" (the handle cannot do it).
        says: regular expression that the error holds, or, when it works, the log.
        action: see `security_rigs.run`.
        only: adaptors that know it; empty: all.
        environment: variables to set; `SUFFIX` is the adaptor's.
    """

    scene: str
    settings: Settings
    outcome: str = OK
    says: str = ""
    action: str = "roundtrip"
    only: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def trust(**more: object) -> Settings:
    """TLS with our authority."""
    return lambda rig: {**rig.pki.trust, **more}


def client(which: str, **more: object) -> Settings:
    """TLS with a client certificate."""

    def settings(rig: Rig) -> Mapping[str, object]:
        identity = getattr(rig.pki, which)
        return {
            **rig.pki.trust,
            "tls-certfile": identity.cert,
            "tls-keyfile": identity.key,
            **more,
        }

    return settings


def login(user: str, password: str | None = None, **more: object) -> Settings:
    """A user name with a password, by default the right one."""
    return lambda rig: {**rig.login(user, password), **more}


def token(_: Rig) -> Mapping[str, object]:
    """An unsigned token made by librdkafka, which a broker accepts for tests only."""
    properties = {
        "security.protocol": "sasl_plaintext",
        "sasl.mechanisms": "OAUTHBEARER",
        "enable.sasl.oauthbearer.unsecure.jwt": "true",
        "sasl.oauthbearer.config": "principal=alice",
    }
    return {"proto-cfg": ";".join(f"{name}={value}" for name, value in properties.items())}


def nothing(_: Rig) -> Mapping[str, object]:
    """No settings."""
    return {}


NETWORK: dict[str, Case] = {
    # TLS that works
    "tls": Case("tls", trust()),
    "client-certificate": Case("mutual", client("client")),
    "locked-key": Case("mutual", client("locked", **{"tls-key-password": KEY_PASSWORD})),
    "locked-key-from-environment": Case(
        "mutual",
        client("locked", **{"tls-key-password": "${env:KEY_PASSWORD}"}),
        environment={"KEY_PASSWORD": KEY_PASSWORD},
    ),
    "server-name": Case("wrong-host", trust(**{"tls-server-name": "elsewhere.example"})),
    "unverified": Case(
        "foreign",
        lambda rig: {"enable-tls": 1, "tls-verify": 0},
        says="tls-verify=0: .*not checked",
    ),
    # TLS that does not
    "expired": Case("expired", trust(), NULL, "certificate has expired"),
    "wrong-host": Case("wrong-host", trust(), NULL, "mismatch"),
    "wrong-server-name": Case(
        "tls", trust(**{"tls-server-name": "elsewhere.example"}), NULL, "mismatch"
    ),
    "unknown-authority": Case("foreign", trust(), NULL, "issuer|self[- ]signed"),
    "system-authorities": Case("tls", lambda rig: {"enable-tls": 1}, NULL, "issuer|self[- ]signed"),
    "no-client-certificate": Case("mutual", trust(), NULL, "tls-certfile"),
    "foreign-client-certificate": Case("mutual", client("foreign_client"), NULL, "tls-certfile"),
    "tls-to-plain-port": Case("plain", trust(), NULL, "that port (does not )?speak TLS"),
    "plain-to-tls-port": Case("tls", nothing, NULL, "(?i)tls"),
    # logins that work
    "login": Case("login", login("alice")),
    "login-over-tls": Case("login-tls", lambda rig: {**rig.login("alice"), **rig.pki.trust}),
    "plain-mechanism": Case(
        "login", login("alice", **{"sasl-mechanism": "PLAIN"}), only=("kafka",)
    ),
    "scram-512-over-tls": Case(
        "login-tls",
        lambda rig: {**rig.login("alice"), "sasl-mechanism": "scram-sha-512", **rig.pki.trust},
        only=("kafka",),
    ),
    "token": Case("login", token, only=("kafka",)),
    "login-from-environment": Case(
        "login",
        lambda rig: {k: v for k, v in rig.login("alice").items() if k.startswith("sasl")},
        environment={"USER_SUFFIX": "alice", "PASSWORD_SUFFIX": USERS["alice"]},
    ),
    "environment-beats-file": Case(
        "login",
        login("alice", WRONG_PASSWORD),
        environment={"PASSWORD_SUFFIX": USERS["alice"]},
    ),
    "password-from-named-variable": Case(
        "login",
        login("alice", "${env:MY_PASSWORD}"),
        environment={"MY_PASSWORD": USERS["alice"]},
    ),
    "password-from-file": Case(
        "login", lambda rig: rig.login("alice", f"${{file:{password_file(rig)}}}")
    ),
    "certificate-as-login": Case("mutual", client("client"), says="", only=("amqp",)),
    # logins and rights that do not
    "wrong-password": Case("login", login("alice", WRONG_PASSWORD), NULL, CREDENTIALS),
    "unknown-user": Case("login", login("carol"), NULL, CREDENTIALS),
    "wrong-password-over-tls": Case(
        "login-tls",
        lambda rig: {**rig.login("alice", WRONG_PASSWORD), **rig.pki.trust},
        NULL,
        CREDENTIALS,
    ),
    "no-login": Case(
        "login",
        nothing,
        NULL,
        "(?i)NOAUTH|not authori[sz]ed|want a login",
        only=("redis", "kafka", "mqtt"),  # a new RabbitMQ knows guest
    ),
    "no-right-to-send": Case(
        "login",
        login("bob"),
        ERR,
        RIGHTS,
        action="send",
    ),
    "no-right-to-receive": Case(
        "login",
        login("bob"),
        ERR,
        RIGHTS,
        action="subscribe",
        # Mosquitto 2.0 grants every subscription and then delivers nothing.
        only=("redis", "kafka", "amqp"),
    ),
}


def password_file(rig: Rig) -> Path:
    """A file with alice's password and the line end that editors leave."""
    path = rig.folder / "password"
    path.write_text(USERS["alice"] + "\n")
    return path


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def rigs(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Rig]]:
    """One server for all cases of an adaptor, started when it is asked for."""
    made: dict[str, Rig] = {}

    def get(name: str) -> Rig:
        if name not in made:
            made[name] = RIGS[name](pki, tmp_path_factory.mktemp(name))
        return made[name]

    yield get
    for rig in made.values():
        rig.close()


def network_cases() -> Iterator[object]:
    for name in RIGS:
        for case_name, case in sorted(NETWORK.items(), key=lambda item: item[1].scene):
            if not case.only or name in case.only:
                yield pytest.param(name, case, id=f"{name}-{case_name}")


@pytest.mark.parametrize(("name", "case"), network_cases())
def test_network(name: str, case: Case, rigs: Callable[[str], Rig]) -> None:
    rig = rigs(name)
    limit = SUCCESS_TIMEOUT_S if case.outcome == OK else CONNECT_TIMEOUT_S
    outcome = run(
        rig.name,
        f"localhost;{rig.port(case.scene)}",
        {"connect-timeout": f"{limit:g}s", **case.settings(rig)},
        action=case.action,
        topic=f"t-{uuid.uuid4().hex}",
        payload="hello",
        environment={
            name.replace("SUFFIX", rig.env_suffix): value
            for name, value in case.environment.items()
        },
    )
    assert_no_secret(outcome)
    assert outcome.outcome == case.outcome, outcome
    if case.outcome == OK:
        assert outcome.answer["received"] == ["hello"], outcome
        assert re.search(case.says, outcome.log), outcome
    else:
        assert re.search(case.says, outcome.error), outcome.error
        assert re.search(case.says, outcome.log), outcome.log
    assert outcome.answer["seconds"] < limit + 10


@pytest.mark.parametrize("name", list(RIGS))
def test_dot_behind_the_host(name: str, rigs: Callable[[str], Rig]) -> None:
    rig = rigs(name)
    outcome = run(
        rig.name, f"localhost.;{rig.port('tls')}", rig.pki.trust, action="roundtrip", payload="dot"
    )
    assert outcome.outcome == OK, outcome
    assert outcome.answer["received"] == ["dot"], outcome


@pytest.mark.parametrize("name", ["redis", "mqtt", "amqp"])
def test_scheme_with_tls(name: str, rigs: Callable[[str], Rig]) -> None:
    rig = rigs(name)
    url = f"{rig.scheme}s://localhost:{rig.port('tls')}"
    settings = {"tls-cafile": rig.pki.authority.cafile}
    outcome = run(rig.name, url, settings, action="roundtrip", payload="hello")
    assert outcome.outcome == OK, outcome
    assert outcome.answer["received"] == ["hello"], outcome
    refused = run(rig.name, url, {"enable-tls": 0})
    assert refused.outcome == NULL, refused
    assert "enable-tls=0" in refused.error


@pytest.mark.parametrize("name", list(RIGS))
def test_password_in_url(name: str, rigs: Callable[[str], Rig]) -> None:
    rig = rigs(name)
    port = rig.port("login")
    good = f"{rig.scheme}://alice:{USERS['alice']}@localhost:{port}"
    more = {k: v for k, v in rig.login("alice").items() if k.startswith("sasl")}
    outcome = run(rig.name, good, {"password": WRONG_PASSWORD, **more}, action="roundtrip")
    assert_no_secret(outcome)
    assert outcome.outcome == OK, outcome
    bad = good.replace(USERS["alice"], WRONG_PASSWORD)
    outcome = run(rig.name, bad, {"connect-timeout": "3s", **more})
    assert_no_secret(outcome)
    assert outcome.outcome == NULL, outcome


@pytest.mark.parametrize("name", list(RIGS))
def test_what_may_not_be_sent_is_kept(
    name: str, rigs: Callable[[str], Rig], tmp_path: Path
) -> None:
    rig = rigs(name)
    topic = f"t-{uuid.uuid4().hex}"
    outcome = run(
        rig.name,
        f"localhost;{rig.port('login')}",
        {**rig.login("bob"), "dead-letter-dir": tmp_path},
        topic=topic,
        payload="hello",
    )
    assert_no_secret(outcome)
    assert outcome.outcome == ERR, outcome
    (file,) = tmp_path.iterdir()
    (line,) = map(json.loads, file.read_text().splitlines())
    assert (line["topic"], line["payload"]) == (topic, "hello")
    assert re.search(RIGHTS, line["reason"]), line
    assert outcome.answer["stats"]["dead_lettered"] == 1


@pytest.mark.parametrize("gives_up", [False, True], ids=["waits", "gave-up"])
@pytest.mark.parametrize("name", list(RIGS))
def test_reload_with_the_right_password(
    name: str, gives_up: bool, rigs: Callable[[str], Rig]
) -> None:
    rig = rigs(name)
    common: dict[str, object] = {"connect": "lazy", "reconnect-max-interval": "1h"}
    if name == "amqp":
        common["mandatory"] = 0  # no queue is bound for the topic
    outcome = run(
        rig.name,
        f"localhost;{rig.port('login')}",
        {**common, **rig.login("alice", WRONG_PASSWORD), "reconnect": int(not gives_up)},
        action="reload",
        topic=f"t-{uuid.uuid4().hex}",
        reloaded={**common, **rig.login("alice")},
        gives_up=gives_up,
    )
    assert_no_secret(outcome)
    assert outcome.outcome == OK, outcome
    ends = outcome.answer["ends"]
    assert re.search(CREDENTIALS, ends["refusal"]), ends
    # A link that gives up completes waiting messages with an error; they are not sent later.
    assert (ends["before"], ends["after"]) == ("err" if gives_up else "ok", "ok"), outcome


@pytest.mark.parametrize("name", list(RIGS))
def test_reload_with_the_right_certificate(name: str, rigs: Callable[[str], Rig]) -> None:
    rig = rigs(name)
    common: dict[str, object] = {"connect": "lazy", "reconnect-max-interval": "1h"}
    if name == "amqp":
        common["mandatory"] = 0  # no queue is bound for the topic
    outcome = run(
        rig.name,
        f"localhost;{rig.port('mutual')}",
        {**common, **client("foreign_client")(rig)},
        action="reload",
        topic=f"t-{uuid.uuid4().hex}",
        reloaded={**common, **client("client")(rig)},
    )
    assert_no_secret(outcome)
    assert outcome.outcome == OK, outcome
    ends = outcome.answer["ends"]
    assert re.search("tls-certfile", ends["refusal"]), ends
    assert (ends["before"], ends["after"]) == ("ok", "ok"), outcome
