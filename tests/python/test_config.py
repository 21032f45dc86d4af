# SPDX-License-Identifier: Apache-2.0
"""The typed settings, also against the adaptors' own parser (which needs no broker)."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dsmsg
import pytest
from dsmsg import (
    Adaptor,
    Config,
    ConfigError,
    DsmsgError,
    KafkaConfig,
    RedisConfig,
    ZmqConfig,
)
from dsmsg._inifile import config_file, to_ini
from dsmsg._options import Option
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from identities import IDENTITIES, address

CLASSES: list[type[Config]] = [getattr(dsmsg, name) for name in dsmsg._settings.__all__]
ADAPTORS = {config.adaptor: Adaptor(config.adaptor) for config in CLASSES}
relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=300)


def options_of(config: type[Config], *kinds: str) -> list[Option]:
    """Usable options of some kinds that only their type restricts."""
    bound = {"port", "hostname", "connection-str"}
    bound |= {"share-connection", "acks", "idempotence", "max-in-flight"}
    # Not in the signature: they do not change what is sent where.
    bound |= {row["name"] for row in ADAPTORS[config.adaptor].describe()["options"] if row["local"]}
    return [
        option
        for option in config.options.values()
        if option.kind in kinds and not option.unavailable and option.name not in bound
    ]


def bounds(option: Option) -> tuple[int, int]:
    """The bounds in an option's type: "ms(1,3600000)"."""
    low, high = re.findall(r"-?[0-9]+", option.type) or (0, 2**31)
    return int(low), int(high)


def signature(config: type[Config], text: str) -> str:
    """Signature of a configuration file, which depends on every parsed value."""
    path = Path("unused")
    with config_file(_Text(text)) as name:
        path = Path(name or "")
        return ADAPTORS[config.adaptor].signature("localhost;1", path)


class _Text:
    def __init__(self, text: str) -> None:
        self.text = text

    def to_ini(self) -> str:
        """Returns the text."""
        return self.text


def with_sharing(text: str) -> str:
    return text + "share-connection=1\n"


# ------------------------------------------------------------------ values


def test_the_forms_of_values() -> None:
    config = KafkaConfig(
        connect="lazy",
        connect_timeout=timedelta(seconds=2),
        send_timeout="5s",
        message_timeout=1500,
        reconnect=False,
        queue_bytes="64M",
        queue_size=1000,
        key="${sensor.id}",
        headers={"source": "${sensor.id}", "a;b": "c;d"},
        proto_cfg={"socket.keepalive.enable": True, "queue.buffering.max.kbytes": 100},
        compression="zstd",
        acks=1,
        idempotence=False,
    )
    assert config.to_ini().splitlines() == [
        "[message-broker]",
        "connect=lazy",
        "connect-timeout=2000ms",
        "reconnect=0",
        "queue-size=1000",
        "queue-bytes=64M",
        "message-timeout=1500",
        "send-timeout=5s",
        'key="${sensor.id}"',
        r'headers="source=${sensor.id};a\;b=c\;d"',
        'proto-cfg="socket.keepalive.enable=true;queue.buffering.max.kbytes=100"',
        "compression=zstd",
        "acks=1",
        "idempotence=0",
    ]
    ADAPTORS["kafka"].signature("localhost;1", config)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("queue_size", "many", r"^kafka: queue-size = many: must be a whole number from 1 to 1"),
        ("queue_size", 0, "from 1 to 10000000"),
        ("queue_size", 1.5, "whole number"),
        ("queue_size", True, "whole number"),
        ("queue_size", "10 k", "whole number"),
        ("queue_bytes", "5 parsecs", "must be a size from 1k to 1024g, such as 4096, 64k"),
        ("queue_bytes", -1, "must be a size"),
        ("send_timeout", 0, "must be a time from 1ms to 24h, such as 500ms, 5s"),
        ("send_timeout", 0.5, "must be a time"),
        ("send_timeout", timedelta(microseconds=1), "must be a time"),
        ("send_timeout", "5 weeks", "must be a time"),
        ("send_timeout", "", "no value .leave it out for the default, "),
        ("send_timeout", "99999999999999999999s", "must be a time"),
        ("reconnect", "perhaps", "1 or 0, true or false"),
        ("reconnect", 2, "1 or 0, true or false"),
        ("compression", "rar", "one of none, gzip, snappy, lz4, zstd"),
        ("key", "${sensor.id", "key = "),
        ("topic", "a\nb", "control character"),
        ("topic", "a\0b", "control character"),
        ("topic", "a\ud800", "valid UTF-8"),
        ("topic", 7, "topic: must be text, not int"),
        ("headers", "no pair", "element 1 is not key=value"),
        ("headers", "=x", "element 1 is not key=value"),
        ("headers", {"": "x"}, "names are not empty"),
        ("headers", {"a=b": "x"}, "names are not empty"),
        ("headers", {" a": "x"}, "do not begin or end with blanks"),
        ("headers", "a='x", "a quote that is not closed"),
        ("headers", "a='x' y;b=1", "text after its closing quote"),
        ("headers", {"a": None}, "text or numbers"),
        ("headers", ["a=b"], "a mapping, or text .*not list"),
        ("queue_sise", 1, r"unknown option 'queue_sise' \(did you mean queue-size\?\)"),
        ("pigeon", 1, "unknown option 'pigeon'$"),
    ],
)
def test_what_is_not_allowed_says_what_is(name: str, value: object, text: str) -> None:
    config = KafkaConfig()
    with pytest.raises(ConfigError, match=text):
        setattr(config, name, value)
    dashed = name.replace("_", "-")  # repeated as it was written
    with pytest.raises(ConfigError, match=text.replace(f"'{name}'", f"'{dashed}'")):
        KafkaConfig.from_options({dashed: value})
    assert config == KafkaConfig()


def test_constructor_checks_and_knows_its_names() -> None:
    with pytest.raises(ConfigError, match="compression"):
        KafkaConfig(compression="rar")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="pigeon"):
        KafkaConfig(pigeon=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        KafkaConfig(True)  # type: ignore[misc]


def test_an_unavailable_option_may_have_its_default() -> None:
    with pytest.raises(ConfigError, match="zmq: enable-tls = 1: not available: ZeroMQ has no TLS"):
        ZmqConfig.from_options({"enable-tls": True})
    config = ZmqConfig.from_options({"enable-tls": False})
    ADAPTORS["zmq"].signature("localhost;1", config)


def test_none_takes_an_option_back() -> None:
    config = RedisConfig(pipeline=7)
    assert config.to_dict() == {"pipeline": "7"}
    config.pipeline = None
    assert config.to_dict() == {}


def test_equal_and_different() -> None:
    assert RedisConfig(pipeline=7) == RedisConfig(pipeline="7")  # type: ignore[arg-type]
    assert RedisConfig(pipeline=7) != RedisConfig(pipeline=8)
    assert RedisConfig() != KafkaConfig()


def test_secrets_are_not_shown() -> None:
    config = KafkaConfig(
        password="geheim",  # noqa: S106
        username="me",
        proto_cfg={"sasl.password": "geheim"},
        producer_proto_cfg={"ssl.key.password": "geheim"},
        headers={"schema": 1},
    )
    assert "geheim" not in repr(config)
    assert "password=***" in repr(config)
    assert "username='me'" in repr(config)
    assert "headers={'schema': 1}" in repr(config)
    assert "abc" not in repr(KafkaConfig(headers={"api-token": "abc"}))
    assert "geheim" in config.to_ini()
    for name, value in (("password", "gehe\nim"), ("proto_cfg", {"sasl.password": ["geheim"]})):
        with pytest.raises(ConfigError) as caught:
            setattr(config, name, value)
        assert "gehe" not in str(caught.value)


def test_write(tmp_path: Path) -> None:
    path = tmp_path / "cfg.txt"
    path.write_text("old")
    config = RedisConfig(streamsize=5)
    assert config.write(path) == path
    assert path.read_text() == "[message-broker]\nstreamsize=5\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["cfg.txt"]
    with pytest.raises(OSError, match="none"):
        config.write(tmp_path / "none" / "cfg.txt")


def test_without_the_adaptor_it_checks_in_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsmsg._check.installed", lambda _: None)
    config = RedisConfig(queue_size="many", queue_bytes="1M")  # type: ignore[arg-type]
    assert config.to_ini() == "[message-broker]\nqueue-size=many\nqueue-bytes=1M\n"
    with pytest.raises(ConfigError, match="redis: unknown option 'pigeon'"):
        RedisConfig.from_options({"pigeon": 1})
    with pytest.raises(ConfigError, match="topic: must be text, not int"):
        RedisConfig(topic=7)  # type: ignore[arg-type]
    with pytest.raises(DsmsgError, match="queue-size = many: must be a whole number from 1"):
        ADAPTORS["redis"].connect("127.0.0.1;9", config)


@pytest.mark.parametrize("hidden", ["cffi", "the adaptor"])
def test_settings_can_be_made_without(hidden: str) -> None:
    hide = (
        "sys.modules['cffi'] = None"
        if hidden == "cffi"
        else "import dsmsg._find; dsmsg._find.search_folders = lambda: []"
    )
    code = f"import sys; {hide}; import dsmsg; print(dsmsg.KafkaConfig(queue_size='1').to_ini())"
    package = str(Path(dsmsg.__file__).parents[1])
    made = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": package},
    )
    assert made.stdout == "[message-broker]\nqueue-size=1\n\n"


def test_a_backslash_before_a_separator_is_not_an_escape() -> None:
    first = RedisConfig(headers={"a": "b\\", "c": "d"})
    for other in ({"a": "b;c=d"}, {"a": "b\\;c=d"}, {"a": "b", "c": "d"}):
        assert signature(RedisConfig, with_sharing(first.to_ini())) != signature(
            RedisConfig, with_sharing(RedisConfig(headers=other).to_ini())
        )


# ------------------------------------------------------------------ against the adaptors' parser

texts = st.text(
    st.characters(
        exclude_categories=["Cs"], exclude_characters=[chr(c) for c in (*range(32), 127)]
    ),
    max_size=40,
)
numbers = st.integers(-(2**66), 2**66)
units = st.sampled_from(
    ["", "ms", "s", "m", "min", "h", "k", "kb", "KiB", "M", "G", " s", "x", "S"]
)
number_texts = st.one_of(
    st.builds(lambda n, u: f"{n}{u}", numbers, units),
    st.builds(lambda n, u: f"{n}{u}", st.integers(0, 5000), units),
    st.sampled_from(["", "+5", "-5", "+-5", "5 5", "0x10", "1e3", "1.5", "٣"]),
)


def python_accepts(config: type[Config], option: Option, value: str) -> bool:
    try:
        config.from_options({option.name: value})
    except ConfigError:
        return False
    return True


def adaptor_accepts(config: type[Config], option: Option, value: str) -> bool:
    # An empty quoted value is an empty value, as an empty text in Python is.
    try:
        signature(config, f'[message-broker]\n{option.name}="{value}"\n')
    except DsmsgError as error:
        assert option.name in str(error)
        return False
    return True


@pytest.mark.parametrize("config", CLASSES)
@relaxed
@given(data=st.data())
def test_python_and_the_adaptor_accept_the_same_numbers(
    config: type[Config], data: st.DataObject
) -> None:
    option = data.draw(st.sampled_from(options_of(config, "int", "ms", "s", "bytes")))
    value = data.draw(number_texts)
    assert python_accepts(config, option, value) == adaptor_accepts(config, option, value)


FACTORS = {
    "int": {"": 1},
    "ms": {"": 1, "ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000},
    "bytes": {"": 1, "k": 1 << 10, "KB": 1 << 10, "MiB": 1 << 20, "g": 1 << 30},
}


@pytest.mark.parametrize("config", CLASSES)
def test_python_and_the_adaptor_agree_at_every_bound(config: type[Config]) -> None:
    checked = 0
    for option in options_of(config, "int", "ms", "bytes"):
        low, high = bounds(option)
        for unit, factor in FACTORS[option.kind].items():
            edges = {-(-low // factor), high // factor}
            for value in sorted(edges | {edge + step for edge in edges for step in (-1, 1)}):
                text, expected = f"{value}{unit}", low <= value * factor <= high
                assert python_accepts(config, option, text) is expected, (option.name, text)
                assert adaptor_accepts(config, option, text) is expected, (option.name, text)
                checked += 1
    assert checked > 300


@pytest.mark.parametrize("config", CLASSES)
@relaxed
@given(data=st.data())
def test_python_and_the_adaptor_accept_the_same_words(
    config: type[Config], data: st.DataObject
) -> None:
    option = data.draw(st.sampled_from(options_of(config, "bool", "enum")))
    words = [
        *re.split("[(),]", option.type)[1:],
        "1",
        "0",
        "true",
        "No",
        "ON",
        "off",
        "LATEST_PER_KEY",
        "2",
        "x y",
    ]
    value = data.draw(st.sampled_from(words))
    assert python_accepts(config, option, value) == adaptor_accepts(config, option, value)


@pytest.mark.parametrize("config", CLASSES)
@relaxed
@given(data=st.data())
def test_every_number_arrives(config: type[Config], data: st.DataObject) -> None:
    """Equal values have equal signatures however they are written, different values do not."""
    option = data.draw(st.sampled_from(options_of(config, "int", "ms", "bytes")))
    low, high = bounds(option)
    first, second = data.draw(st.integers(low, high)), data.draw(st.integers(low, high))
    made = [config.from_options({option.name: v}).to_ini() for v in (first, second, str(first))]
    one, two, again = (signature(config, with_sharing(text)) for text in made)
    assert one == again
    assert (one == two) == (first == second)
    if option.kind == "ms":
        spelled = config.from_options({option.name: timedelta(milliseconds=first)})
        assert signature(config, with_sharing(spelled.to_ini())) == one


@pytest.mark.parametrize("config", CLASSES)
@relaxed
@given(data=st.data())
def test_every_text_arrives(config: type[Config], data: st.DataObject) -> None:
    """Quotes, blanks, comment signs, semicolons: nothing changes on the way through the file."""
    option = data.draw(st.sampled_from(options_of(config, "string", "path")))
    first, second = data.draw(texts), data.draw(texts)
    if option.secret and "${" in first + second:
        return
    made = [config.from_options({option.name: v}).to_ini() for v in (first, second)]
    one, two = (signature(config, with_sharing(text)) for text in made)
    assert (one == two) == (first == second)


@pytest.mark.parametrize("config", CLASSES)
@relaxed
@given(data=st.data())
def test_every_pair_arrives(config: type[Config], data: st.DataObject) -> None:
    name = "headers"
    part = texts.map(lambda text: text.replace("$", "S"))
    names = part.map(lambda text: text.strip(" \t\r\n").replace("=", "-"))
    pairs = st.dictionaries(names.filter(lambda text: text.strip() != ""), part, max_size=4)
    first, second = data.draw(pairs), data.draw(pairs)
    made = [config.from_options({name: v}).to_ini() for v in (first, second)]
    one, two = (signature(config, with_sharing(text)) for text in made)
    assert (one == two) == (list(first.items()) == list(second.items()))


@pytest.mark.parametrize("config", CLASSES)
@relaxed
@given(value=st.text(st.sampled_from("ab=;'\"\\ #"), max_size=12))
def test_python_and_the_adaptor_accept_the_same_pairs(config: type[Config], value: str) -> None:
    option = config.options["headers"]
    accepted = python_accepts(config, option, value)
    assert accepted == adaptor_accepts(config, option, value)


def test_quotes_keep_what_would_end_a_value() -> None:
    for value in ("Endpoint=sb://h/;Key=x=", '"in quotes"', "'; it''s", " blanks ", "'", '"";"'):
        one = value.replace("'", "''")
        two = value.replace('"', '""')
        written: list[object] = [{"a": value, "b": 1}, f"a='{one}' ; b=1", f'b=1;a="{two}"']
        texts = [RedisConfig.from_options({"headers": text}).to_ini() for text in written]
        first, second, swapped = (signature(RedisConfig, with_sharing(text)) for text in texts)
        assert first == second != swapped


@pytest.mark.parametrize("config", CLASSES)
def test_every_default_is_accepted_by_python_and_the_adaptor(config: type[Config]) -> None:
    defaults = {o.name: o.default for o in config.options.values() if o.default}
    made = config.from_options(defaults)
    assert len(ADAPTORS[config.adaptor].signature("h;1", with_sharing_file(made))) == 64
    assert signature(config, with_sharing(to_ini({}))) == signature(
        config, with_sharing(config.from_options({**defaults, "share-connection": None}).to_ini())
    )


def with_sharing_file(config: Config) -> Config:
    return type(config).from_options({**config.to_dict(), "share-connection": True})


@pytest.mark.parametrize("config", CLASSES)
def test_lazy_connect_with_a_config_object(config: type[Config], tmp_path: Path) -> None:
    identity = IDENTITIES.get(config.adaptor, {})
    made = config.from_options({"connect": "lazy", "flush-timeout": "100ms", **identity})
    where = address(config.adaptor, 9, tmp_path)
    ADAPTORS[config.adaptor].connect(where, made).disconnect()
    ADAPTORS[config.adaptor].connect(where, made.write(tmp_path / "c.txt")).disconnect()
