# SPDX-License-Identifier: Apache-2.0
"""Everything that is generated from the adaptors, or finds them, includes all of them.

The test abi.generated checks that the generated files match the built adaptors word for word.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import dsmsg
import pytest
from dsmsg import Adaptor, Config, _settings, brokers, config, doctor
from dsmsg.brokers import KINDS, BrokerError

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

from error_texts import cell  # noqa: E402
from mkdocs_hooks import on_config  # noqa: E402

NAMES = sorted(path.name for path in (ROOT / "csrc" / "adaptors").iterdir() if path.is_dir())
CLASSES: list[type[Config]] = [getattr(dsmsg, name) for name in _settings.__all__]


def test_the_package_has_every_adaptor() -> None:
    assert sorted(_settings.ADAPTORS) == NAMES
    assert sorted(each.adaptor for each in CLASSES) == NAMES
    for name, each in zip(_settings.__all__, CLASSES):
        assert each is getattr(config, name)
        assert name in dsmsg.__all__
        assert name in config.__all__


def test_doctor_has_every_adaptor_and_what_servers_need(monkeypatch: pytest.MonkeyPatch) -> None:
    def find() -> object:
        raise BrokerError("install the nest")

    monkeypatch.setattr(doctor, "available", dict)
    monkeypatch.setattr(KINDS["redis"], "needed", classmethod(lambda cls: {"pigeon": find}))
    checks = {check["name"]: check for check in doctor.examine()["checks"]}
    assert set(NAMES) <= set(checks)
    assert checks["pigeon"]["text"] == "install the nest"
    assert {"mosquitto", "rabbitmq-server", "java", "kafka jars"} <= set(checks)


def test_the_servers_of_every_module_are_found() -> None:
    texts = [path.read_text() for path in Path(brokers.__file__).parent.glob("[a-z]*.py")]
    kinds = [
        kind for text in texts for kind in re.findall(r'^    kind: \S+ = "([\w-]+)"', text, re.M)
    ]
    assert len(kinds) > 20
    assert sorted(KINDS) == sorted(kinds)


def test_cells_show_angle_brackets() -> None:
    """Markdown takes what a code span has as it is; elsewhere it would be a tag."""
    assert cell("set <x>, as in `USER_<NAME>|y` or <z>") == (
        "set &lt;x>, as in `USER_<NAME>\\|y` or &lt;z>"
    )


def test_the_navigation_has_every_adaptor() -> None:
    nav = ["index.md", {"Adaptors": []}]
    made = on_config({"docs_dir": str(ROOT / "docs"), "nav": nav})["nav"]
    pages = [each for adaptor in made[1]["Adaptors"] for each in next(iter(adaptor.values()))]
    wanted = ([{"Guide": f"{name}.md"}, {"Options": f"options-{name}.md"}] for name in NAMES)
    assert sorted(map(str, pages)) == sorted(str(each) for pair in wanted for each in pair)


@pytest.mark.parametrize("config", CLASSES)
def test_the_classes_have_every_option(config: type[Config]) -> None:
    table = Adaptor(config.adaptor).describe()["options"]
    assert [row["name"] for row in table] == list(config.options)
    for row in table:
        option = config.options[row["name"]]
        assert (option.default, option.doc) == (row["default"], row["doc"])
        assert option.secret == row["secret"]
        assert (option.attribute in config.__annotations__) != row["unavailable"]
