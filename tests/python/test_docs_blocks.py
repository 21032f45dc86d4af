# SPDX-License-Identifier: Apache-2.0
"""Every fenced block of the documentation is run, parsed, or named here with the reason.

What other tests run is in RUN_BY. Commands of the shell are parsed by bash; ours are checked
against the parsers of our own programs, pipelines by GStreamer, files of settings by the adaptors.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import dsmsg
import pytest
import yaml
from doc_blocks import ROOT, Block, blocks
from dsmsg import _settings
from dsmsg._cli.app import app
from dsmsg._native_module import native
from dsmsg.brokers import Broker
from dsmsg.brokers.__main__ import add_commands
from typer.main import get_command

BLOCKS = blocks()
LIBRARIES = Path(os.environ.get("DSMSG_LIB_DIR", ROOT / "build" / "dev" / "lib"))

# Page and language: the test that runs these blocks, or compares them with what is run.
RUN_BY = {
    ("adding-an-adaptor", "cpp"): "test_example_adaptor.py",
    ("bridge", "json"): "test_bridge.py",
    ("bridge", "yaml"): "test_bridge.py",
    ("command-line", "console"): "test_command_line_page.py",
    ("elements", "python"): "test_elements_page.py",
    ("ledger", "text"): "test_ledger.py",
    ("payloads", "c"): "test_payload_docs.py",
    ("payloads", "text"): "test_payload_docs.py",
    ("pipelines", "c"): "test_pipelines.py",
    ("pipelines", "sh"): "test_pipelines.py",
    ("python", "python"): "test_python_page.py",
    ("senders", "python"): "test_senders_page.py",
    **{(page, "python"): "test_python_page.py" for page in ("amqp", "kafka", "mqtt", "nats")},
    **{(page, "python"): "test_python_page.py" for page in ("redis", "quick-python")},
}
# Blocks that nothing can run, by page and beginning.
NOT_CODE = {
    ("README", " host: GStreamer sink"): "a drawing",
    ("adding-an-adaptor", "csrc/adaptors/file/CMakeLists.txt"): "output of git",
    ("elements", "detector ! tracker"): "a drawing",
    ("amqp", "listeners.ssl.default"): "RabbitMQ's own configuration",
}
# Third-party programs, whose options are not checked. `true`: the words that follow are a command
# of their own.
OTHERS = {
    **dict.fromkeys(
        ("rabbitmqadmin", "kcat", "mosquitto_sub", "mosquitto_pub", "redis-cli"), False
    ),
    **dict.fromkeys(("bin/kafka-console-consumer.sh", "az", "aws", "apt", "ldconfig"), False),
    **dict.fromkeys(("echo", "export", "cat", "cp", "done"), False),
    **dict.fromkeys(("sudo", "do", "then"), True),
}
# What stands for something of the reader's.
STAND_INS = {
    "dsmsgpeopledetect": "identity",  # of the demo's build
    "DETECTOR": "identity",
    "TRACKER": "identity",
}


def of(*languages: str) -> list[Block]:
    """Blocks that this file checks."""
    return [
        block
        for block in BLOCKS
        if block.language in languages
        and (block.page, block.language) not in RUN_BY
        and not any(block.page == page and block.text.startswith(t) for page, t in NOT_CODE)
    ]


def test_every_block_has_a_test() -> None:
    """Else add it to a check of this file, or to RUN_BY, or to NOT_CODE with the reason."""
    checked = ("sh", "console", "ini", "yaml", "json", "python", "py", "c", "cmake", "text")
    rest = [
        block
        for block in of(*{block.language for block in BLOCKS})
        if block.language not in checked
    ]
    assert [str(block) for block in rest] == []
    for (page, language), test in RUN_BY.items():
        assert any((block.page, block.language) == (page, language) for block in BLOCKS), page
        text = (Path(__file__).parent / test).read_text()
        assert page in text, (page, test)
    for page, begin in NOT_CODE:
        assert any(b.page == page and b.text.startswith(begin) for b in BLOCKS), (page, begin)


# --- The shell ---


def lines(block: Block) -> str:
    """What a reader would type: the commands of a console block, without output."""
    if block.language != "console":
        return block.text
    return "".join(
        re.sub(r"^\$ ", "", part)
        for part in re.findall(r"^\$ (?:.*\\\n)*.*\n", block.text, re.MULTILINE)
    )


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command: simple shell only, as pages should have."""
    text = re.sub(r"<<'END'\n.*?^END$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"(^|\s)#.*$", r"\1", text, flags=re.MULTILINE)
    text = re.sub(r"\$\([^)]*\)", "OUTPUT", text)
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars="|&;()<>\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    for token in [*lexer, "\n"]:
        if token.strip("|&;()\n") == "":
            if words:
                yield words
            words = []
        else:
            words.append(token)


def program(words: list[str]) -> list[str]:
    """Without variables in front, and without sudo."""
    while words and (re.match(r"\w+=", words[0]) or OTHERS.get(words[0], False)):
        words = words[1:]
    return words


@pytest.mark.parametrize("block", of("sh", "console"), ids=str)
def test_a_command(block: Block) -> None:
    text = lines(block)
    assert text.strip()
    if "..." not in text:
        subprocess.run(["bash", "-n"], input=text, text=True, check=True, timeout=60)
    known = 0
    for all_words in commands(
        re.sub(r"^\.\.\. (?=[\w ]*!)", "gst-launch-1.0 ", text, flags=re.MULTILINE)
    ):
        words = program(all_words)
        if not words or words[0] == "for":
            continue
        name = words[0]
        known += 1
        if name == "dsmsg" or name.endswith("/dsmsg"):
            parses(words[1:])
        elif name.endswith(("python", "python3")) and words[1:3] == ["-m", "dsmsg"]:
            parses(words[3:])
        elif name.endswith("python3") and words[1:3] == ["-m", "dsmsg.brokers"]:
            starts(words[3:])
        elif name == "make":
            makes(words[1:])
        elif name == "cmake":
            configures(words[1:])
        elif name.startswith("scripts/"):
            assert (ROOT / name).is_file(), name
        elif name == "gst-inspect-1.0":
            assert words[1:] in (["dsmsgbroker"], ["dsmsgconv"])
        elif name in ("ctest", "cc", "gst-launch-1.0", "pip", "python3") or name.endswith("/pip"):
            pass  # below, or nothing of ours in it
        else:
            assert name in OTHERS, f"{name}: check it, or add it to OTHERS"
    assert known


def parses(arguments: list[str]) -> None:
    """The command line `dsmsg` takes these arguments."""
    arguments = arguments[: arguments.index(">")] if ">" in arguments else arguments
    command = get_command(app)
    context = command.make_context("dsmsg", list(arguments))
    while isinstance(command, click.Group):
        rest = [*context.protected_args, *context.args]
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None, arguments
        command, context = found, found.make_context(name, rest, parent=context)


def starts(arguments: list[str]) -> None:
    """`dsmsg.brokers` takes these arguments."""
    import argparse

    parser = argparse.ArgumentParser(exit_on_error=False)
    add_commands(parser)
    parser.parse_args(arguments)


def makes(arguments: list[str]) -> None:
    """The targets are in the Makefile, the variables in its help."""
    makefile = (ROOT / "Makefile").read_text()
    for each in arguments:
        name, equals, _ = each.partition("=")
        pattern = rf"[\[ ]{name}=" if equals else rf"^{name}: ##"
        assert re.search(pattern, makefile, re.MULTILINE), each


def configures(arguments: list[str]) -> None:
    """Presets, targets and components are there."""
    presets = json.loads((ROOT / "CMakePresets.json").read_text())
    names = {each["name"] for each in presets["configurePresets"] + presets["buildPresets"]}
    sources = "".join(
        path.read_text()
        for path in [*ROOT.glob("**/CMakeLists.txt"), *ROOT.glob("cmake/*.cmake")]
        if "build" not in path.parts
    )
    for option, value in zip(arguments, arguments[1:]):
        if option == "--preset":
            assert value in names, value
        elif option == "--target":
            assert re.search(rf"(?:target|executable|library)\({value}\b", sources), value
        elif option == "--component" and not value.startswith("$"):
            assert re.search(rf"COMPONENT {value}\b", sources), value


def pipelines() -> dict[str, str]:
    """The pipelines of all blocks, with stand-ins for what is the reader's."""
    found = {}
    for block in of("sh", "console"):
        text = lines(block).replace("\\\n", " ")
        pattern = r"(?:^gst-launch-1\.0(?: -q)?|^\.\.\. (?=[\w ]*!))(.*)$"
        for number, part in enumerate(re.findall(pattern, text, re.MULTILINE)):
            for word, stand_in in STAND_INS.items():
                part = re.sub(rf"(?<=[! ]){word}(?= )", stand_in, part)
            part = re.sub(r"^\s*\.\.\. !|^(?! *\w+src )", "fakesrc !", part, count=1)
            part = re.sub(r"!\s*!", "!", re.sub(r"\s\.\.\.\s*$", "", part))
            found[f"{block}-{number}"] = part
    return found


def test_gstreamer_parses_the_pipelines(tmp_path: Path) -> None:
    found = pipelines()
    assert len(found) > 20
    result = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("gst_parse.py"))],
        input=json.dumps([os.path.expandvars(each) for each in found.values()]),
        env={
            **os.environ,
            "GST_PLUGIN_PATH": str(LIBRARIES / "gstreamer"),
            "GST_REGISTRY": str(tmp_path / "registry.bin"),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    errors = dict(zip(found, json.loads(result.stdout)))
    assert {name: (found[name], error) for name, error in errors.items() if error} == {}


# --- Files of settings ---

# DeepStream's group of a sink, of deepstream-app: what it reads for messages.
DEEPSTREAM_SINK = {"enable", "type", "topic", "msg-conv-config", "msg-conv-payload-type"}
DEEPSTREAM_SINK |= {"msg-broker-proto-lib", "msg-broker-conn-str", "msg-broker-config"}


@pytest.mark.parametrize("block", of("ini"), ids=str)
def test_settings(block: Block, tmp_path: Path) -> None:
    group = re.match(r"\s*\[([\w.-]+)\]", block.text)
    name = group[1] if group else "message-broker"
    if name.startswith("sink"):
        keys = re.findall(r"^([\w-]+) *=", block.text, re.MULTILINE)
        assert set(keys) <= DEEPSTREAM_SINK
    elif name == "message-converter":
        assert re.findall(r"^([\w-]+) *=(.*)", block.text, re.MULTILINE) == [("dialect", "dsmsg")]
    elif name.startswith("output."):
        handlers(tmp_path / "handlers.txt", block.text)
    else:
        assert name == "message-broker"
        text = block.text if group else f"[message-broker]\n{block.text}"
        path = tmp_path / "cfg.txt"
        path.write_text(text)
        adaptor = block.page if block.page in _settings.ADAPTORS else "redis"
        checks_well(adaptor, path)


def checks_well(adaptor: str, path: Path) -> None:
    """`dsmsg config check` finds nothing wrong but files that are not here."""
    from dsmsg._cli._settings_file import check_lines, read_lines

    problems = check_lines(adaptor, read_lines(str(path)))
    assert [each.text for each in problems if each.error] == []


def handlers(path: Path, text: str) -> None:
    """The adaptor of several destinations takes the file."""
    path.write_text(text)
    settings = {"connect": "lazy", "flush-timeout": "1ms"}
    dsmsg.Adaptor("multi").connect(str(path), settings).disconnect()


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_yaml(block: Block, tmp_path: Path) -> None:
    if block.page == "maps":
        dsmsg.Map(text=block.text)
    elif block.page == "space":
        path = tmp_path / "space.yaml"
        path.write_text(block.text)
        native().space_rules(str(path))
    else:
        assert block.page == "alerts"
        assert list(yaml.safe_load(block.text)) == ["rule_files"]


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json(block: Block, tmp_path: Path) -> None:
    text = block.text if block.text.startswith(("{", "[")) else f"{{{block.text}}}"
    parsed = json.loads(text)
    if "output" in parsed:
        handlers(tmp_path / "handlers.json", block.text)


# --- Programs ---

FRAGMENT = """#include <gst/gst.h>
#include <dsmsg_meta.h>
void add(GstBuffer* buffer, float* vector);
void add(GstBuffer* buffer, float* vector) {
%s}
"""


@pytest.mark.parametrize("block", of("python", "py"), ids=str)
def test_python(block: Block) -> None:
    """Their other side would have to run; what they name of ours exists."""
    tree = ast.parse(block.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "dsmsg":
            assert hasattr(dsmsg, node.attr), node.attr
    if block.language == "py":
        exec(compile(tree, str(block), "exec"), {})  # noqa: S102 - our own page


@pytest.mark.parametrize("block", of("c"), ids=str)
def test_c(block: Block, redis_broker: Broker, topic: str, tmp_path: Path) -> None:
    """Programs are built with the line of their page, and sent through Redis."""
    source = tmp_path / "example.c"
    if "main(" not in block.text:
        source.write_text(FRAGMENT % block.text)
        flags = subprocess.run(
            ["pkg-config", "--cflags", "gstreamer-1.0"], capture_output=True, text=True, check=True
        ).stdout.split()
        compile_c("-fsyntax-only", "-I", str(ROOT / "include"), *flags, str(source))
        return
    (tmp_path / "cfg_redis.txt").write_text("[message-broker]\nconnect-timeout=60s\n")
    source.write_text(
        block.text.replace("localhost;6379", redis_broker.conn_str).replace("detections", topic)
    )
    line = next(b.text for b in BLOCKS if b.page == block.page and b.text.startswith("cc "))
    folder = "build/dev/lib"
    line = line.replace(f"$PWD/{folder}", folder).replace(folder, str(LIBRARIES))
    words = shlex.split(line.replace("-Iinclude", f"-I{ROOT}/include"))
    subprocess.run(words, cwd=tmp_path, check=True, timeout=300)
    ran = subprocess.run(
        ["./example"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env={**os.environ, "DSMSG_LIB_DIR": str(LIBRARIES)},
    )
    if block.page == "quick-c":
        assert ran.stdout == "acknowledged\n"


def compile_c(*arguments: str) -> None:
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-std=c99", "-Wall", "-Werror", *arguments], check=True, timeout=300)


@pytest.mark.parametrize("block", of("cmake"), ids=str)
def test_cmake(block: Block) -> None:
    sources = "".join(path.read_text() for path in ROOT.glob("cmake/*.cmake"))
    for name in re.findall(r"^(\w+)\(", block.text, re.MULTILINE):
        assert f"function({name} " in sources, name


@pytest.mark.parametrize("block", of("text"), ids=str)
def test_what_is_shown_exists(block: Block) -> None:
    """Formulas name metrics or counters that are documented; a message is one of the sources."""
    if block.page == "troubleshooting":
        advice = re.search(r"\(([^)]+)\)", block.text)
        assert advice is not None
        assert advice[1] in (ROOT / "csrc" / "core" / "net" / "hints.cc").read_text()
        return
    metrics = (ROOT / "docs" / "metrics.md").read_text()
    names = set(re.findall(r"\b(?:dsmsg_)?[a-z]+(?:_[a-z]+)+\b", block.text))
    for name in names - {"histogram_quantile"}:
        assert f"`{re.sub('_bucket$', '', name)}`" in metrics, name
    assert names
