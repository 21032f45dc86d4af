# SPDX-License-Identifier: Apache-2.0
"""Commands that read and write files: config, spool, stats, debug, install."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import dsmsg
import pytest
import redis
from dsmsg import Adaptor, spool
from dsmsg._find import find
from dsmsg.brokers import Broker
from dsmsg.brokers._process import free_port, wait_until
from test_spool import NAME, ROWS, locked, make

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

SECRET = "g3heim-Marvin"  # noqa: S105 - a test's


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.txt"
    path.write_text(
        f"[message-broker]\nqos=2\npassword={SECRET}\nclient-id='gate'\n\n# comment {SECRET}\n"
    )
    return path


def problems(run_dsmsg: Run, adaptor: str, path: Path) -> list[str]:
    result = run_dsmsg("config", "check", adaptor, str(path), "--json", check=False)
    report = json.loads(result.stdout)
    assert report["ok"] == (result.returncode == 0)
    return [f"{each['line']} {each['text']}" for each in report["problems"] if each["error"]]


def test_config_check(run_dsmsg: Run, file: Path) -> None:
    assert problems(run_dsmsg, "mqtt", file) == []
    file.write_text("[message-broker]\nqos=3\nqoss=1\nclient-id=a\nclient_id=b\n[other]\nqos=9\n")
    found = problems(run_dsmsg, "mqtt", file)
    assert [each[:1] for each in found] == ["2", "3", "5"]
    assert "did you mean qos?" in found[1]
    assert "set twice" in found[2]
    text = run_dsmsg("config", "check", "mqtt", str(file), check=False)
    assert text.returncode == 1
    assert b"settings.txt:2: qos = 3" in text.stdout
    assert b"warning" in text.stdout


def test_config_check_asks_about_the_whole_file(run_dsmsg: Run, file: Path) -> None:
    file.write_text("[message-broker]\nenable-tls=1\ntls-cafile=/none/ca.pem\n")
    [problem] = problems(run_dsmsg, "mqtt", file)
    assert problem.startswith("0 ")
    assert "/none/ca.pem" in problem


@pytest.mark.parametrize("name", ["kafka", "redis", "mqtt", "amqp", "zmq"])
def test_config_check_accepts_our_own_files(run_dsmsg: Run, name: str) -> None:
    path = Path(__file__).parents[2] / "cfg" / f"cfg_{name}.txt"
    run_dsmsg("config", "check", name, str(path))


def test_config_explain(run_dsmsg: Run) -> None:
    text = run_dsmsg("config", "explain", "kafka", "compression", "queue_size").stdout.decode()
    assert "compression\n" in text
    assert "queue-size\n" in text
    assert "default: " in text
    table = json.loads(run_dsmsg("config", "explain", "kafka", "--json").stdout)
    assert len(table) == len(Adaptor("kafka").describe()["options"])
    wrong = run_dsmsg("config", "explain", "kafka", "compresion", check=False)
    assert wrong.returncode == 1
    assert b"did you mean compression?" in wrong.stderr


def test_config_diff(run_dsmsg: Run, file: Path) -> None:
    result = run_dsmsg("config", "diff", "mqtt", str(file), "--json")
    assert json.loads(result.stdout) == {
        "qos": {"default": "1", "value": "2"},
        "password": {"default": "", "value": "***"},
        "client-id": {"default": "", "value": "gate"},
    }
    assert b"1 -> 2" in run_dsmsg("config", "diff", "mqtt", str(file)).stdout


def test_config_convert(run_dsmsg: Run, tmp_path: Path) -> None:
    (tmp_path / "cfg_amqp.txt").write_text(
        f"[message-broker]\npassword={SECRET}\nexchange=amq.topic\namqp-framesize=4096\nold=1\n"
    )
    app = tmp_path / "app.txt"
    app.write_text(
        "[sink0]\ntype=2\n[sink1]\ntype=6\nmsg-broker-config=cfg_amqp.txt\ntopic=det\n"
        "msg-broker-proto-lib=/opt/nvidia/deepstream/deepstream/lib/libnvds_amqp_proto.so\n"
        f"msg-broker-conn-str=host;5672;guest;{SECRET}\n"
    )
    output = tmp_path / "ours.txt"
    result = run_dsmsg("config", "convert", str(app), "--output", str(output), "--json")
    [made] = json.loads(result.stdout)
    assert (made["adaptor"], made["topic"]) == ("amqp", "det")
    assert SECRET.encode() not in result.stdout + result.stderr + output.read_bytes()
    assert b"set PASSWORD_AMQP in the environment" in result.stderr
    text = output.read_text()
    assert "\nexchange=amq.topic\n" in text
    assert "\n#old=1\n" in text
    run_dsmsg("config", "check", "amqp", str(output))
    alone = run_dsmsg("config", "convert", str(tmp_path / "cfg_amqp.txt")).stdout.decode()
    assert "\nexchange=amq.topic\n" in alone
    (tmp_path / "x.txt").write_text("[message-broker]\n")
    unknown = run_dsmsg("config", "convert", str(tmp_path / "x.txt"), check=False)
    assert b"--adaptor names it" in unknown.stderr


def test_spool_replay(run_dsmsg: Run, redis_broker: Broker, topic: str, tmp_path: Path) -> None:
    path = tmp_path / NAME
    make(path).close()
    where = ("spool", "replay", str(path), redis_broker.url, "--topic", topic)
    with locked(path):
        used = run_dsmsg(*where, check=False)
        assert used.returncode == 1
        assert b"in use by a running process" in used.stderr
    result = json.loads(run_dsmsg(*where, "--json").stdout)
    assert (result["acknowledged"], result["failed"], result["deleted"]) == (3, 0, False)
    server = redis.Redis(redis_broker.host, redis_broker.port)
    assert [fields[b"metadata"] for _, fields in server.xrange(topic)] == [row[7] for row in ROWS]
    dead = ("spool", "replay", str(path), f"redis://localhost:{free_port()}", "--delete")
    assert run_dsmsg(*dead, check=False).returncode == 1
    assert path.exists()
    run_dsmsg(*where, "--delete")
    assert not path.exists()


def test_spool_import_is_the_inverse_of_export(run_dsmsg: Run, tmp_path: Path) -> None:
    old, new = tmp_path / NAME, tmp_path / NAME.replace("-0.", "-1.")
    make(old).close()
    make(new, rows=[]).close()
    lines = run_dsmsg("spool", "export", str(old)).stdout
    result = run_dsmsg("spool", "import", str(new), stdin=lines, check=False)
    assert result.stdout.startswith(b"3 messages added"), result.stderr
    for before, after in zip(spool.messages(old), spool.messages(new)):
        assert after.problems == ()
        for name in ("topic", "key", "headers", "payload", "timestamp_ms"):
            assert getattr(after, name) == getattr(before, name)
    broken = tmp_path / "lines"
    broken.write_bytes(lines + b"{}\n")
    refused = run_dsmsg("spool", "import", str(new), str(broken), check=False)
    assert refused.returncode == 1
    assert b"line 4 is not a message" in refused.stderr
    assert spool.inspect(new).messages == 3
    with locked(new):
        assert run_dsmsg("spool", "import", str(new), stdin=lines, check=False).returncode == 1


def test_an_adaptor_sends_what_was_imported(
    run_dsmsg: Run, redis_broker: Broker, topic: str, tmp_path: Path
) -> None:
    """It counts an imported row as it counts its own."""
    port = free_port()
    settings = {"spool-dir": str(tmp_path), "connect": "lazy", "flush-timeout": "1s"}
    with Adaptor("redis").connect(f"127.0.0.1;{port}", settings) as connection:
        connection.send_async(topic, b"own")
    [path] = spool.find(tmp_path)
    own = spool.inspect(path)
    line = {"topic": topic, "payload": "own"}
    run_dsmsg("spool", "import", str(path), stdin=json.dumps(line).encode())
    assert spool.inspect(path).bytes == 2 * own.bytes
    with Adaptor("redis").connect(f"127.0.0.1;{port}", settings) as connection:
        connection.reload(redis_broker.conn_str)
        assert wait_until(lambda: connection.stats()["spool_backlog"] == 0, 120)
    server = redis.Redis(redis_broker.host, redis_broker.port)
    assert [fields[b"metadata"] for _, fields in server.xrange(topic)] == [b"own", b"own"]


def test_stats(run_dsmsg: Run, redis_broker: Broker, topic: str, tmp_path: Path) -> None:
    path = tmp_path / "dsmsg.prom"
    settings = {"metrics-file": str(path), "metrics-interval": "100ms"}
    with Adaptor("redis").connect(redis_broker.conn_str, settings) as connection:
        connection.send(topic, b"x")

        def told() -> bool:
            [each] = json.loads(run_dsmsg("stats", str(path), "--json").stdout)
            return (each["acknowledged_total"], each["link_up"]) == (1, 1)

        assert wait_until(told, 120)
        text = run_dsmsg("stats", str(path)).stdout
        assert text.startswith(b"up   REDIS 127.0.0.1:")
        assert b"acknowledged 1," in text
        options = ("--watch", "--interval", "0.1", "--count", "3")
        assert len(run_dsmsg("stats", str(path), *options).stdout.splitlines()) == 3
        assert len(run_dsmsg("stats", str(path), *options, "--json").stdout.splitlines()) == 3
    assert run_dsmsg("stats", str(path)).stdout.startswith(b"down ")
    assert run_dsmsg("stats", str(tmp_path / "none"), check=False).returncode == 1


def test_debug(run_dsmsg: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD_MQTT", SECRET)
    monkeypatch.setenv("DSMSG_LOG", "error")
    archive, log = tmp_path / "report.tar.gz", tmp_path / "pipeline.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    options = ["--config", str(file), "--adaptor", "mqtt", "--log", str(log), "--lines", "2"]
    result = run_dsmsg("debug", "--output", str(archive), *options, "--json")
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as packed:
        parts = {
            Path(name).name: packed.extractfile(name).read()  # type: ignore[union-attr]
            for name in packed.getnames()
        }
    assert sorted(parts) == sorted(json.loads(result.stdout)["files"])
    assert parts["log-0-pipeline.log"] == b"line 98\nline 99\n"
    settings = b"[message-broker]\nqos=2\npassword=***\nclient-id=gate\n"
    assert parts["config-0-settings.txt"] == settings
    assert json.loads(parts["environment.json"])["DSMSG_LOG"] == "error"
    assert json.loads(parts["adaptors.json"])["kafka"]["protocol"] == "KAFKA"
    assert "cffi" in json.loads(parts["versions.json"])["packages"]
    assert not any(SECRET.encode() in data for data in parts.values())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with a file of somebody else's, a symbolic link, and one name missing."""
    lib = tmp_path / "deepstream" / "lib"
    lib.mkdir(parents=True)
    other = lib / "libnvds_kafka_proto.so"
    other.write_bytes(os.urandom(5000))
    other.chmod(0o751)
    os.utime(other, (1_600_000_000, 1_600_000_000))
    (lib / "libnvds_redis_proto.so").symlink_to("libnvds_kafka_proto.so")
    return lib.parent


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    folder = tmp_path / "ours"
    folder.mkdir()
    for name in ("kafka", "redis", "zmq"):
        shutil.copy2(find(name), folder)
    return folder


def snapshot(tree: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted((tree / "lib").rglob("*")):
        state = path.lstat()
        content = path.readlink() if path.is_symlink() else path.is_file() and path.read_bytes()
        found[path.name] = (content, state.st_mode, state.st_mtime if path.is_file() else 0)
    return found


def test_install_and_undo(run_dsmsg: Run, tree: Path, ours: Path) -> None:
    before = snapshot(tree)
    command = ("install", "--tree", str(tree), "--from", str(ours))
    assert run_dsmsg(*command, "--check", check=False).returncode == 1
    assert snapshot(tree) == before
    run_dsmsg(*command)
    for path in ours.iterdir():
        assert (tree / "lib" / path.name).read_bytes() == path.read_bytes()
    run_dsmsg(*command, "--check")
    run_dsmsg(*command)  # again: the backup stays that of the first time
    with (ours / "libnvds_zmq_proto.so").open("ab") as newer:
        newer.write(b"a newer build")
    old = run_dsmsg(*command, "--check", check=False)
    assert (old.returncode, b"another build of dsmsg" in old.stdout) == (1, True)
    run_dsmsg(*command)
    undone = json.loads(run_dsmsg(*command[:3], "--undo", "--json").stdout)
    assert [each["state"] for each in undone["files"]] == ["restored", "restored", "removed"]
    assert snapshot(tree) == before
    assert b"nothing was installed" in run_dsmsg(*command[:3], "--undo").stdout


KILLED = """
import os, sys
from pathlib import Path
from dsmsg._cli import _tree
place, tree, ours = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
def die(source=None, target=None):
    if target is not None:
        Path(target).write_bytes(b"half")
    os._exit(9)
owner = {"_write": _tree.Tree, "_copy": _tree, "copy2": _tree.shutil}[place]
setattr(owner, place, die if place == "copy2" else lambda *arguments: die())
_tree.Tree(tree).install(_tree.libraries(ours))
"""


@pytest.mark.parametrize("again", [False, True], ids=["undo", "install-and-undo"])
@pytest.mark.parametrize("place", ["_write", "_copy", "copy2"])
def test_install_is_killed(
    run_dsmsg: Run, tree: Path, ours: Path, place: str, *, again: bool
) -> None:
    """Before it writes the note, before it copies, in the middle of a file."""
    before = snapshot(tree)
    child = [sys.executable, "-c", KILLED, place, str(tree), str(ours)]
    environment = {**os.environ, "PYTHONPATH": str(Path(dsmsg.__file__).parents[1])}
    assert subprocess.run(child, env=environment, timeout=120).returncode == 9
    assert (tree / "lib" / "dsmsg-backup" / "libnvds_kafka_proto.so").stat().st_nlink == 2
    assert before.items() <= snapshot(tree).items()
    if again:
        run_dsmsg("install", str(tree), "--from", str(ours))
        run_dsmsg("install", str(tree), "--from", str(ours), "--check")
    run_dsmsg("install", str(tree), "--undo")
    assert snapshot(tree) == before


def test_install_into_a_tree_that_is_half_ours(run_dsmsg: Run, tree: Path, ours: Path) -> None:
    """Copied by hand: one file of this build, one of another; the third is DeepStream's."""
    shutil.copy2(ours / "libnvds_zmq_proto.so", tree / "lib")
    redis = tree / "lib" / "libnvds_redis_proto.so"
    redis.unlink()
    redis.write_bytes((ours / redis.name).read_bytes() + b"an older build")
    before = snapshot(tree)
    command = ("install", str(tree), "--from", str(ours))
    checked = run_dsmsg(*command, "--check", "--json", check=False)
    states = {each["name"]: each["state"] for each in json.loads(checked.stdout)["files"]}
    assert list(states.values()) == ["other", "other", "installed"]
    run_dsmsg(*command)
    run_dsmsg(*command, "--check")
    run_dsmsg("install", str(tree), "--undo")
    assert snapshot(tree) == before


def test_a_backup_that_no_note_tells_of_stays(run_dsmsg: Run, tree: Path, ours: Path) -> None:
    backup = tree / "lib" / "dsmsg-backup" / "libnvds_kafka_proto.so"
    backup.parent.mkdir()
    backup.write_bytes(b"the only copy")
    before = snapshot(tree)
    for words in (("--from", str(ours)), ("--undo",)):
        refused = run_dsmsg("install", str(tree), *words, check=False)
        assert refused.returncode == 1
        assert str(backup).encode() in refused.stdout + refused.stderr
    assert snapshot(tree) == before


def test_install_leaves_what_others_changed(run_dsmsg: Run, tree: Path, ours: Path) -> None:
    command = ("install", "--tree", str(tree), "--from", str(ours))
    run_dsmsg(*command)
    changed = tree / "lib" / "libnvds_kafka_proto.so"
    changed.write_bytes(b"an update of DeepStream")
    checked = run_dsmsg(*command, "--check", check=False)
    assert (checked.returncode, b"changed" in checked.stdout) == (1, True)
    undone = run_dsmsg(*command[:3], "--undo", check=False)
    assert undone.returncode == 1
    assert b"the old one is" in undone.stdout
    assert changed.read_bytes() == b"an update of DeepStream"
    assert (tree / "lib" / "dsmsg-backup" / changed.name).stat().st_mode & 0o777 == 0o751


def test_install_looks_at_what_it_installed(run_dsmsg: Run, tree: Path, ours: Path) -> None:
    shutil.copy2(find("zmq").parent / "libnvds_msgbroker.so", ours)
    done = json.loads(run_dsmsg("install", str(tree), "--from", str(ours), "--json").stdout)
    told = {each["name"]: each["why"] for each in done["files"]}
    assert told["libnvds_kafka_proto.so"].startswith("KAFKA, contract ")
    assert told["libnvds_kafka_proto.so"].endswith(str(tree / "lib" / "libnvds_kafka_proto.so"))
    assert told["libnvds_msgbroker.so"].startswith("client library, contract ")
    assert b"To put back what was there: dsmsg install" in run_dsmsg("install", str(tree)).stdout


def test_install_one_adaptor(run_dsmsg: Run, tree: Path, ours: Path) -> None:
    command = ("install", str(tree), "--from", str(ours), "--adaptor")
    run_dsmsg(*command, "zmq")
    assert (tree / "lib" / "libnvds_redis_proto.so").is_symlink()  # as it was
    wrong = run_dsmsg(*command, "zqm", check=False)
    assert wrong.returncode == 1
    assert b"zqm: there is no libnvds_zqm_proto.so (there are libnvds_kafka" in wrong.stderr


def test_install_leaves_out_what_does_not_load(run_dsmsg: Run, tree: Path, ours: Path) -> None:
    before = snapshot(tree)
    kafka = ours / "libnvds_kafka_proto.so"
    kafka.write_bytes(kafka.read_bytes().replace(b"librdkafka.so.1", b"librdkafkb.so.1"))
    result = run_dsmsg("install", str(tree), "--from", str(ours), "--json", check=False)
    assert result.returncode == 1
    done = {each["name"]: each for each in json.loads(result.stdout)["files"]}
    assert done[kafka.name]["state"] == "left out"
    assert (
        "needs librdkafkb.so.1; Debian, Ubuntu: apt install librdkafkb1" in done[kafka.name]["why"]
    )
    assert done["libnvds_zmq_proto.so"]["state"] == "installed"
    assert snapshot(tree)[kafka.name] == before[kafka.name]


def test_install_for_another_machine(run_dsmsg: Run, tree: Path, ours: Path) -> None:
    other = bytearray((ours / "libnvds_zmq_proto.so").read_bytes()[:64])
    other[18:20] = (183).to_bytes(2, "little")
    (tree / "lib" / "libnvds_meta.so").write_bytes(other)
    before = snapshot(tree)
    result = run_dsmsg("install", str(tree), "--from", str(ours), check=False)
    assert result.returncode == 1
    assert b"are for aarch64 (install dsmsg's build for aarch64)" in result.stderr
    assert snapshot(tree) == before


def test_install_into_a_folder_that_cannot_be_written_to(
    run_dsmsg: Run, tmp_path: Path, ours: Path
) -> None:
    lib = tmp_path / "read-only" / "lib"
    lib.parent.mkdir()
    lib.symlink_to("/sys/kernel")  # not even root may make files there
    result = run_dsmsg("install", str(lib.parent), "--from", str(ours), check=False)
    assert result.returncode == 1
    assert f"cannot write to {lib}: ".encode() in result.stderr


def test_install_needs_a_tree(run_dsmsg: Run, tmp_path: Path) -> None:
    result = run_dsmsg("install", "--tree", str(tmp_path / "none"), check=False)
    assert result.returncode == 1
    assert b"is not a DeepStream tree" in result.stderr
