# SPDX-License-Identifier: Apache-2.0
"""`dsmsg certify`: the template and our Redis adaptor pass, every mistake fails what it should."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from certify.__main__ import MANUAL, PAGE, RESULTS, manual, page
from certify.wrong import MISTAKES, ROOT, build_template, build_wrong
from dsmsg._certify.elf import exports
from dsmsg._certify.reader import Reader
from dsmsg._certify.requirements import MUST, all_requirements
from dsmsg._certify.rig import Rig, Target
from dsmsg._certify.run import Run, Settings, Worker
from dsmsg._cli.app import run
from dsmsg._find import find
from dsmsg.brokers import Broker

Dsmsg = Callable[..., "subprocess.CompletedProcess[bytes]"]
READER = Path(__file__).resolve().parents[1] / "certify" / "readers.py"
LIMITS = ("--bound", "20", "--patience", "20")  # of a busy machine; reached only by a failure
SHORT = "[message-broker]\nsend-timeout=2s\nflush-timeout=2s\nconnect-timeout=2s\nstreamsize=0\n"


def at(broker: Broker) -> list[str]:
    """Options that lead to a server that is there already, read by redis-py."""
    words = shlex.join([sys.executable, str(READER), "redis"])
    reader = f"{words} {{host}} {{port}} {{topic}} {{topic2}} /"
    return [
        "--conn-str",
        broker.conn_str,
        "--reader",
        reader,
        "--topic",
        f"t-{os.urandom(6).hex()}",
    ]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_template(tmp_path_factory.mktemp("template"))


def test_the_template_conforms(
    template: Path, redis_broker: Broker, run_dsmsg: Dsmsg, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    run_dsmsg(
        *("certify", str(template), *at(redis_broker), *LIMITS),
        *("--jobs", "12", "--report", str(folder)),
    )
    report = json.loads((folder / "certify.json").read_text())
    assert report["failed"] == report["warnings"] == []
    states = {each["id"]: each["state"] for each in report["requirements"]}
    assert list(states) == list(all_requirements())
    open_ = {name: state for name, state in states.items() if state != "pass"}
    only_sends = {name: "n/a" for name in states if name.startswith(("R10.", "X."))}
    # Only a server of its own may be killed.
    assert open_ == {**only_sends, "R20.3": "not tested"}
    text = (folder / "certify.md").read_text()
    assert text.startswith("# libnvds_template_proto.so: conforms as far as tested (1 of the musts")
    assert "\n| R03.1 | must | pass | " in text
    assert "--broker" in text[text.index("| R20.3 |") :].partition("\n")[0]


def test_our_adaptor_conforms(run_dsmsg: Dsmsg, tmp_path: Path) -> None:
    """With a server of its own, read by `dsmsg sub`."""
    config = tmp_path / "cfg.txt"
    config.write_text(SHORT)
    ids = ("R03.1", "R10.1", "R20.3", "X")
    only = [word for name in ids for word in ("--only", name)]
    done = run_dsmsg(
        *("certify", "redis", "--broker", "redis", "--config", str(config)),
        *(*LIMITS, "--jobs", "12", "--json", *only),
    )
    report = json.loads(done.stdout)
    assert report["verdict"] == "conforms in what was asked for"
    assert {each["state"] for each in report["requirements"]} == {"pass"}


def test_a_wrong_library_is_told(redis_broker: Broker, run_dsmsg: Dsmsg, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    library = Path(shutil.copy(build_wrong(tmp_path)["small-name"], folder))  # links are followed
    done = run_dsmsg(
        *("certify", str(library), *at(redis_broker), *LIMITS, "--report", str(folder)),
        *("--only", "S1.2", "--only", "S1.1"),
        check=False,
    )
    assert done.returncode == 1, done.stderr
    report = json.loads((folder / "certify.json").read_text())
    assert report["failed"] == ["S1.2"]
    assert report["exit_code"] == 1
    text = (folder / "certify.md").read_text()
    assert text.startswith("# libnvds_wrong_small-name_proto.so: does not conform")
    assert "\n### S1.2 (must)\n" in text[text.index("## What fails") :]
    assert "\n| S1.2 | must | fail | " in text
    assert "\n| S1.1 | must | pass | " in text


CONTROLS = ("R02.1", "R13.2")


def test_every_mistake_fails_what_it_should(tmp_path: Path, redis_broker: Broker) -> None:
    """And not some others; scripts/certify checks all against all.

    A crash and a hang are named with the call.
    """
    files = build_wrong(tmp_path)
    words = shlex.join([sys.executable, str(READER), "redis"])
    target = Target(
        conn_str=redis_broker.conn_str,
        topic=f"t-{os.urandom(6).hex()}",
        reader=f"{words} {{host}} {{port}} {{topic}} {{topic2}} /",
    )
    settings = Settings(Path(), target, bound=8, patience=8)
    todo: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    for name, (meant, _) in MISTAKES.items():  # some of these take long
        todo.put((name, meant))
    for name, (meant, _) in MISTAKES.items():
        for control in set(CONTROLS) - {meant}:
            todo.put((name, control))
    failed: dict[str, dict[str, str]] = {name: {} for name in MISTAKES}

    def work(worker: Worker) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                name, requirement = todo.get_nowait()
                state, text, *_ = worker.check(requirement, files[name])
                assert state in ("pass", "fail"), (name, requirement, state, text)
                if state == "fail":
                    failed[name][requirement] = text

    (tmp_path / "run").mkdir()
    with Rig(target, "TEMPLATE") as rig, contextlib.ExitStack() as stack:
        run = Run(settings, rig, tmp_path / "run")
        stack.callback(run.close)
        workers = [Worker(run) for _ in range(8)]
        for worker in workers:
            stack.callback(worker.close)
        with ThreadPoolExecutor(len(workers)) as pool:
            list(pool.map(work, workers))
    expected = {
        name: {meant, *(set(also) & set(CONTROLS))} for name, (meant, also) in MISTAKES.items()
    }
    assert {name: set(texts) for name, texts in failed.items()} == expected
    assert failed["crashes-on-null"]["S1.4"] == (
        "the process died of SIGSEGV: nvds_msgapi_send_async with a NULL payload"
    )
    assert failed["waits-for-the-server"]["R08.2"] == (
        "nvds_msgapi_disconnect did not return within 8 s"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["/nonexistent.so", "--broker", "redis"], "cannot find the adaptor library"),
        (["redis"], "name a server"),
        (["redis", "--broker", "nothing"], "--broker nothing is unknown (known: redis, kafka"),
        (["redis", "--broker", "redis", "--only", "Q"], "no requirement begins with Q"),
        (["redis", "--conn-str", "x", "--server", "y"], "--server y is not HOST:PORT"),
        ([__file__, "--conn-str", "localhost;1"], "cannot load"),
        (["redis", "--conn-str", "x", "--config", "/nonexistent"], "no file /nonexistent"),
    ],
)
def test_what_cannot_be_run(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["certify", *words]) == 2
    assert text in capsys.readouterr().err


def test_an_adaptor_without_a_server(run_dsmsg: Dsmsg, tmp_path: Path) -> None:
    """That of docs/adding-an-adaptor.md, which writes a file."""
    library = find("redis").parent.parent / "tests" / "example_adaptor" / "libnvds_file_proto.so"
    file = tmp_path / "messages.txt"
    done = run_dsmsg(
        *("certify", str(library), "--conn-str", str(file), *LIMITS, "--json"),
        *("--reader", f"tail -n +1 -F {file}", "--ok", "taken"),
        *(
            word
            for name in ("R03.1", "R05.1", "R07.1", "R08.1", "R12.1")
            for word in ("--only", name)
        ),
    )
    report = json.loads(done.stdout)
    seen = {each["id"]: (each["state"], each["seen"]) for each in report["requirements"]}
    assert seen == {
        "R03.1": ("pass", ""),
        "R05.1": ("pass", ""),
        "R07.1": ("not tested", "no address of a server is known (--server HOST:PORT)"),
        "R08.1": ("n/a", "OK says only that the message was taken (--ok taken)"),
        "R12.1": ("not tested", "the reader prints text, no bytes (see --reader)"),
    }
    assert report["verdict"] == "conforms as far as tested (2 of the musts could not be tested)"


def test_a_library_that_goes_past_the_faults_is_not_blamed(
    template: Path, redis_broker: Broker, run_dsmsg: Dsmsg, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    said.touch()
    done = run_dsmsg(
        *("certify", str(template), *at(redis_broker), *LIMITS, "--json"),
        *("--only", "S4.1", "--only", "R07.2"),
        *("--fault-command", f"sh -c 'echo $0 >> {said}'"),
    )
    states = {each["id"]: each["state"] for each in json.loads(done.stdout)["requirements"]}
    assert states == {"S4.1": "not tested", "R07.2": "pass"}
    assert sorted(said.read_text().split()) == ["cut", "freeze", "heal"]


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("lab;6379", "{host};{port}"),
        ("lab;6379;topic", "{host};{port};topic"),
        ("lab:9092", "{host}:{port}"),
        ("mqtt://user:word@lab:1883/x", "mqtt://user:word@{host}:{port}/x"),
        ("zmq://tcp://lab:5555", "zmq://tcp://{host}:{port}"),
        ("one:9092,two:9092", None),
        ("HostName=hub;DeviceId=1", None),
        ("/data/messages.txt", None),
    ],
)
def test_the_address_in_a_connection_string(text: str, template: str | None) -> None:
    rig = Rig(Target(conn_str=text), "ANY")
    assert rig.conn_str == (template or text)
    session = rig.session()
    assert ("error" in session.fault("cut")) == (template is None)
    session.close()


def test_the_template_is_written_without_the_tree(tmp_path: Path) -> None:
    """The package alone, as a wheel installs it."""
    shutil.copytree(ROOT / "python" / "dsmsg", tmp_path / "site" / "dsmsg")
    command = [sys.executable, "-m", "dsmsg", "certify"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    for code in (0, 1):  # what is there is not overwritten
        done = subprocess.run(
            [*command, "--template", "mine"], cwd=tmp_path, env=environment, timeout=60
        )
        assert done.returncode == code
    subprocess.run(
        [
            *("cc", "-Wall", "-Wextra", "-Werror", "-fPIC", "-fvisibility=hidden", "-shared"),
            *("-pthread", "-I", "mine", "mine/adaptor.c", "mine/wire.c"),
            *("-o", "libnvds_mine_proto.so"),
        ],
        cwd=tmp_path,
        check=True,
        timeout=60,
    )
    listed = subprocess.run(
        [*command, "--list"], cwd=tmp_path, env=environment, capture_output=True, timeout=60
    )
    assert listed.stdout.count(b"\n") == len(all_requirements())
    assert all(
        name.startswith("nvds_msgapi_") for name in exports(tmp_path / "libnvds_mine_proto.so")
    )


def test_symbols_that_leak_are_found(tmp_path: Path) -> None:
    source = tmp_path / "leak.c"
    source.write_text(
        "static int a = 1; int shared; int helper(void) { return a; }\n"
        '__attribute__((visibility("hidden"))) int hidden(void) { return shared; }\n'
    )
    library = tmp_path / "leak.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    assert {"shared", "helper"} <= set(exports(library))
    assert not {"a", "hidden"} & set(exports(library))


def test_a_reader_that_ends_is_told() -> None:
    reader = Reader(["sh", "-c", "echo no such server >&2; exit 3"], "run")
    try:
        error = reader.read("R1.1", [7], 60)["error"]
        assert error.startswith("the reader sh ended: no such server")
    finally:
        reader.close()


@pytest.mark.parametrize(
    ("line", "content"),
    [
        ('{"payload": "certify-run-R1.1-7. x"}', b"certify-run-R1.1-7. x"),
        ('{"payload_base64": "Y2VydGlmeS1ydW4tUjEuMS03LiAA"}', b"certify-run-R1.1-7. \0"),
        ('2) "certify-run-R1.1-7. x"', None),
    ],
)
def test_lines_of_readers(line: str, content: bytes | None) -> None:
    reader = Reader(["printf", "%s\\n", line], "run")
    try:
        answer = reader.read("R1.1", [7], 30)
    finally:
        reader.close()
    assert answer["missing"] == []
    assert answer["content"] == (None if content is None else content.hex())


def test_the_pages_are_those_of_the_requirements_and_results() -> None:
    """`scripts/certify docs` writes them."""
    assert MANUAL.read_text() == manual(MANUAL.read_text())
    results = json.loads(RESULTS.read_text())
    assert PAGE.read_text() == page(results)
    for name in set(results) - {"wrong"}:
        assert results[name]["verdict"].startswith("conforms"), name
    for mistake, (meant, also) in MISTAKES.items():
        assert set(results["wrong"][mistake]) == {meant, *also}, mistake
    assert {each.level for each in all_requirements().values()} == {MUST, "should"}
