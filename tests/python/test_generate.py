# SPDX-License-Identifier: Apache-2.0
"""The generated settings classes are those of the built adaptors."""

from __future__ import annotations

from pathlib import Path

import pytest
from dsmsg import Adaptor, Config, KafkaConfig, RedisConfig, _generate


def test_the_generated_file_is_not_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert _generate.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_file_is_told_and_rewritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "generated.py"
    output.write_text("old")
    assert _generate.main(["--check", "--output", str(output)]) == 1
    assert "is stale" in capsys.readouterr().err
    assert output.read_text() == "old"
    assert _generate.main(["--output", str(output)]) == 0
    assert output.read_text() == _generate.OUTPUT.read_text()
    assert _generate.main(["--check", "--output", str(output)]) == 0


def test_a_missing_adaptor_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_generate, "ADAPTORS", ("pigeon",))
    assert _generate.main(["--check", "--lib-dir", str(tmp_path)]) == 2
    assert "libnvds_pigeon_proto.so" in capsys.readouterr().err


@pytest.mark.parametrize("config", [KafkaConfig, RedisConfig])
def test_the_classes_have_every_option(config: type[Config]) -> None:
    table = Adaptor(config.protocol).describe()["options"]
    assert [row["name"] for row in table] == list(config.options)
    for row in table:
        option = config.options[row["name"]]
        assert (option.default, option.doc) == (row["default"], row["doc"])
        assert option.secret == row["secret"]
        assert (option.attribute in config.__annotations__) != row["unavailable"]
