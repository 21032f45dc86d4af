# SPDX-License-Identifier: Apache-2.0
"""The ten likeliest mistakes, made as a user makes them: each message names the cure.

Where a mistake can be made with gst-launch-1.0, with the command `dsmsg` and in Python, it is made
with all three. docs/troubleshooting.md lists the texts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import dsmsg
import pytest
from dsmsg.brokers import Broker, RedisBroker
from dsmsg.brokers._process import free_port

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = Path(os.environ.get("DSMSG_LIB_DIR", ROOT / "build" / "dev" / "lib"))
CC = os.environ.get("CC", "cc")
AARCH64 = b"\xb7\x00"  # e_machine
PLUGIN = """#define PACKAGE "dsmsg"
#include <gst/gst.h>
static gboolean init(GstPlugin* plugin) { return plugin != NULL; }
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, MINOR, dsmsg, "x", init, "1", "unknown", "x", "x")
"""


class User:
    """Runs programs in a folder, and returns all that they print."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "DSMSG_LIB_DIR": str(LIBRARIES),
            "GST_PLUGIN_PATH": str(LIBRARIES / "gstreamer"),
            "GST_REGISTRY": str(folder / "registry.bin"),
            "PYTHONPATH": str(ROOT / "python"),
        }

    def runs(self, *command: str, nobody: bool = False) -> str:
        """Runs a program that fails.

        Args:
            command: the program and its arguments.
            nobody: run as the user `nobody` if this is root.
        """
        less = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        ended = subprocess.run(
            [*(less if nobody and os.geteuid() == 0 else []), *command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert ended.returncode != 0, ended.stdout
        return ended.stdout

    def launches(self, *properties: str, nobody: bool = False) -> str:
        """Runs a pipeline into a sink with these properties."""
        source = ("fakesrc", "num-buffers=1", "!", "dsmsgbroker")
        return self.runs("gst-launch-1.0", "-q", *source, *properties, nobody=nobody)

    def types(self, *arguments: str) -> str:
        """Runs the command `dsmsg`."""
        return self.runs(sys.executable, "-m", "dsmsg", *arguments)


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, with all above it; pytest's own are private."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TMPDIR", raising=False)
        patch.setattr(tempfile, "tempdir", None)
        folder = Path(tempfile.mkdtemp(prefix="dsmsg-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def python_says(call: Callable[[], object]) -> str:
    """The text of the exception."""
    with pytest.raises((dsmsg.DsmsgError, OSError, ValueError)) as caught:
        call()
    return str(caught.value)


def away() -> str:
    """A connection string without a server."""
    return f"localhost;{free_port()}"


# --- 1: a path is wrong ---


def test_the_path_of_an_adaptor(user: User) -> None:
    wrong = "/no/such/libnvds_kafka_proto.so"
    text = user.launches(f"proto-lib={wrong}", f"conn-str={away()}", "topic=t")
    assert f"cannot load {wrong}: there is no such file (found: " in text
    assert str(LIBRARIES) in text
    for text in (
        user.types("pub", wrong, away(), "t", "x"),
        python_says(lambda: dsmsg.Adaptor(wrong)),
    ):
        assert f"'{wrong}' (is the path right?)" in text


def test_the_path_of_a_configuration(user: User) -> None:
    wrong = "/no/such/cfg.txt"
    text = user.launches("adaptor=redis", f"conn-str={away()}", "topic=t", f"config={wrong}")
    assert (
        f'config file "{wrong}": cannot be opened: No such file or directory (check the path)'
        in text
    )
    assert text.count(" error redis: ") == 1  # said once
    text = user.types("pub", "redis", away(), "t", "x", "--config", wrong)
    assert f"cannot read the configuration file {wrong}: there is no such file" in text
    text = python_says(lambda: dsmsg.Adaptor("redis").connect(away(), wrong))
    assert "there is no such file" in text or "(check the path)" in text
    convert = ("videotestsrc", "num-buffers=1", "!", "dsmsgconv")
    for name, more in (
        ("config", "(check the path)"),
        ("map", "(check the path)"),
        ("msg2p-lib", "is a path, or"),
    ):
        text = user.runs("gst-launch-1.0", "-q", *convert, f"{name}={wrong}", "!", "fakesink")
        assert wrong in text
        assert "No such file" in text
        assert more in text, name


# --- 2: a colon for a semicolon ---


def test_a_colon_for_a_semicolon(user: User) -> None:
    wrong = "localhost:6379:detections"
    cure = 'expected "host;port", "host;port;topic", "host:port" or a URL, for example "localhost;'
    assert cure in user.launches("adaptor=redis", f"conn-str={wrong}", "topic=t")
    assert cure in user.types("pub", "redis", wrong, "t", "x")
    assert cure in python_says(lambda: dsmsg.Adaptor("redis").connect(wrong))
    pairs = 'write pairs such as "key=value;key=value"'
    assert pairs in user.types("pub", "redis", away(), "t", "x", "-o", "headers=site:north")


# --- 3 and 4: a library is missing, or is for another machine ---


def needing(folder: Path, library: str) -> Path:
    """An adaptor that needs a library which is not there."""
    (folder / library).write_bytes(b"")
    source = folder / "empty.c"
    source.write_text("int nothing_else;\n")
    stub, made = folder / library, folder / "libnvds_needy_proto.so"
    for out, more in (
        (stub, [f"-Wl,-soname,{library}"]),
        (made, ["-Wl,--no-as-needed", str(stub)]),
    ):
        out.unlink(missing_ok=True)
        subprocess.run([CC, "-shared", "-fPIC", "-o", out, source, *more], check=True, timeout=120)
    stub.unlink()
    return made


def test_a_missing_package(user: User, tmp_path: Path) -> None:
    library = needing(tmp_path, "libnosuchclient.so.7")
    cure = "(the adaptor needs libnosuchclient.so.7; Debian, Ubuntu: apt install libnosuchclient7)"
    assert cure in user.launches(f"proto-lib={library}", f"conn-str={away()}", "topic=t")
    assert cure in user.types("pub", str(library), away(), "t", "x")
    assert cure in python_says(lambda: dsmsg.Adaptor(library))
    user.environment["DSMSG_LIB_DIR"] = f"{tmp_path}:{LIBRARIES}"
    assert cure in user.types("doctor")


def test_the_wrong_architecture(user: User, tmp_path: Path) -> None:
    binary = bytearray((LIBRARIES / "libnvds_redis_proto.so").read_bytes())
    binary[18:20] = AARCH64
    library = tmp_path / "libnvds_other_proto.so"
    library.write_bytes(binary)
    says = "it is for aarch64, and this process is "
    for text in (
        user.launches(f"proto-lib={library}", f"conn-str={away()}", "topic=t"),
        user.types("pub", str(library), away(), "t", "x"),
        python_says(lambda: dsmsg.Adaptor(library)),
    ):
        assert says in text
        assert "(install the build for " in text


# --- 5 and 6: the broker is off, or wants another login ---


def test_the_broker_is_off(user: User) -> None:
    where = away()
    cure = "connection refused (is the broker running, and is this its port?)"
    assert cure in user.launches("adaptor=redis", f"conn-str={where}", "topic=t")
    assert cure in user.types("pub", "redis", where, "t", "x")
    assert cure in python_says(lambda: dsmsg.connect(f"redis://{where.replace(';', ':')}"))
    assert "try: is the broker running, is this its port" in user.types("doctor", "redis", where)


@pytest.fixture
def locked() -> Iterator[Broker]:
    with RedisBroker(config=["requirepass right"]) as broker:
        yield broker


def test_bad_credentials(user: User, locked: Broker) -> None:
    broker = locked
    cure = "(check USER_REDIS and PASSWORD_REDIS, or the login in conn-str)"
    user.environment.update({"USER_REDIS": "dsmsg", "PASSWORD_REDIS": "wrong"})
    assert cure in user.launches("adaptor=redis", f"conn-str={broker.conn_str}", "topic=t")
    assert cure in user.types("pub", "redis", broker.conn_str, "t", "x")
    assert cure in user.types("doctor", "redis", broker.conn_str)
    url = f"redis://dsmsg:wrong@{broker.address}"
    text = python_says(lambda: dsmsg.connect(url))
    assert cure in text
    assert "wrong@" not in text
    del user.environment["USER_REDIS"], user.environment["PASSWORD_REDIS"]
    cure = "(set PASSWORD_REDIS, and USER_REDIS for an ACL user)"
    assert cure in user.types("pub", "redis", broker.conn_str, "t", "x")


# --- 7: no topic, or one that the broker does not know ---


def test_no_topic(user: User, redis_broker: Broker) -> None:
    text = user.launches("adaptor=redis", f"conn-str={redis_broker.conn_str}")
    assert "No topic to send to: set the property topic" in text
    assert "expected WHERE TOPIC" in user.types("pub", redis_broker.url)
    with dsmsg.connect(redis_broker.url) as connection:
        text = python_says(lambda: connection.send("", b"x"))
    assert "topic" in text


def test_a_topic_that_the_broker_does_not_know(
    user: User, new_broker: Callable[[str], Broker]
) -> None:
    broker = new_broker("nats").start()  # without a stream
    cure = "no stream has that subject (nats stream add makes one"
    text = user.types("pub", "nats", broker.conn_str, "not.known", "x")
    assert '"not.known" at ' in text
    assert cure in text
    with dsmsg.connect(f"nats://{broker.address}") as connection:
        assert cure in python_says(lambda: connection.send("not.known", b"x"))


# --- 8: an old GStreamer ---


def newer_plugin(folder: Path) -> None:
    """A plugin that was built for a GStreamer of the future."""
    folder.mkdir()
    (folder / "plugin.c").write_text(PLUGIN)
    flags = subprocess.check_output(
        ["pkg-config", "--cflags", "--libs", "gstreamer-1.0"], text=True
    )
    out, source = folder / "libgstdsmsg.so", folder / "plugin.c"
    command = [CC, "-shared", "-fPIC", "-DMINOR=98", "-o", out, source, *flags.split()]
    subprocess.run(command, check=True, timeout=120)


def plugin_says(user: User, tmp_path: Path) -> str:
    """What `dsmsg doctor` says of the plugin in a folder of this test, and of no other."""
    user.environment["GST_PLUGIN_PATH"] = str(tmp_path / "plugins")
    examine = "from dsmsg._plugin import find_element; find_element([])"
    return user.runs(sys.executable, "-c", examine)


def test_a_plugin_for_a_newer_gstreamer(user: User, tmp_path: Path) -> None:
    newer_plugin(tmp_path / "plugins")
    text = plugin_says(user, tmp_path)
    assert "libgstdsmsg.so was built for GStreamer 1.98, and 1." in text
    assert "build it on this machine, or take the package for this release" in text


def test_a_build_with_an_old_gstreamer(tmp_path: Path) -> None:
    (tmp_path / "gstreamer-base-1.0.pc").write_text("Name: x\nDescription: x\nVersion: 1.16.3\n")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.22)\nproject(old NONE)\n"
        "find_package(PkgConfig REQUIRED)\n"
        f"include({ROOT}/cmake/DsmsgCompile.cmake)\n"
        "dsmsg_pkg(GST gstreamer-base-1.0>=1.20 libgstreamer1.0-dev)\n"
        "dsmsg_pkg(NONE no-such-library libnosuch-dev)\n"
    )
    text = subprocess.run(
        ["cmake", "-S", tmp_path, "-B", tmp_path / "build"],
        env={**os.environ, "PKG_CONFIG_LIBDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    assert "gstreamer-base-1.0 1.16.3 is too old (gstreamer-base-1.0>=1.20)" in text
    assert "no-such-library not found" in text
    assert "(Debian, Ubuntu: apt install libnosuch-dev)" in text


def test_a_release_build_without_a_client_library(tmp_path: Path) -> None:
    hiding = tmp_path / "pkg-config"
    hiding.write_text(
        f'#!/bin/sh\nfor word; do [ "$word" != hiredis ] || exit 1; done\n'
        f'exec {shutil.which("pkg-config")} "$@"\n'
    )
    hiding.chmod(0o755)
    done = subprocess.run(
        ["cmake", "--preset", "release", "-B", tmp_path / "build"],
        cwd=ROOT,
        env={**os.environ, "PKG_CONFIG": str(hiding)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode != 0
    assert "hiredis not found" in done.stdout
    error = " ".join(done.stderr.split())
    assert "apt install libhiredis-dev. To build without" in error
    assert "cmake -DDSMSG_REQUIRE_ALL=OFF" in error
    assert not (tmp_path / "build" / "build.ninja").exists()


# --- 9: no permission ---


def test_no_permission(user: User, open_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(LIBRARIES / "gstreamer", open_folder / "gstreamer")
    shutil.copy(LIBRARIES / "libnvds_redis_proto.so", open_folder)
    user.folder = open_folder
    user.environment.update(
        DSMSG_LIB_DIR=str(open_folder),
        GST_PLUGIN_PATH=str(open_folder / "gstreamer"),
        GST_REGISTRY="/dev/null",
    )
    (open_folder / "readable").touch(mode=0o600)
    closed = open_folder / "closed"
    closed.mkdir(mode=0o755)  # others may look, not write
    for setting, cure in {
        f"spool-dir={closed}/spool": "(may this user write to spool-dir?)",
        f"metrics-file={closed}/x.prom": "may this user write there?)",
        f"dead-letter-dir={closed}/letters": "may this user write there?)",
    }.items():
        (open_folder / "cfg.txt").write_text(f"[message-broker]\nconnect=lazy\n{setting}\n")
        text = user.launches(
            *("adaptor=redis", f"conn-str={away()}", "topic=t", "config=cfg.txt"), nobody=True
        )
        assert "Permission denied" in text, setting
        assert cure in text, setting
    (open_folder / "cfg.txt").chmod(0o600)
    text = user.launches(
        *("adaptor=redis", f"conn-str={away()}", "topic=t", "config=cfg.txt"), nobody=True
    )
    assert "cannot be opened: Permission denied (may this user read it?)" in text


# --- 10: the plugin or the adaptor is not found ---


def test_the_plugin_is_not_found(user: User, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    text = plugin_says(user, tmp_path)
    assert "GStreamer finds no libgstdsmsg.so (set GST_PLUGIN_PATH to the folder of" in text
    assert 'no element "dsmsgbroker"' in user.launches()
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    assert '| `no element "dsmsgbroker"` |' in page  # that text is GStreamer's
    tools = tmp_path / "tools"
    tools.mkdir()
    user.environment["PATH"] = str(tools)
    assert "apt install gstreamer1.0-tools" in plugin_says(user, tmp_path)


def test_a_plugin_that_needs_a_library(user: User, tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    needing(plugins, "libnosuchclient.so.7").rename(plugins / "libgstdsmsg.so")
    text = plugin_says(user, tmp_path)
    assert "it needs libnosuchclient.so.7; Debian, Ubuntu: apt install libnosuchclient7" in text


def test_the_name_of_an_adaptor(user: User) -> None:
    text = user.launches("adaptor=redsi", f"conn-str={away()}", "topic=t")
    assert "there is no adaptor 'redsi': no libnvds_redsi_proto.so (found: " in text
    assert "DSMSG_LIB_DIR adds a folder" in text
    for text in (
        user.types("pub", "redsi", away(), "t", "x"),
        python_says(lambda: dsmsg.Adaptor("redsi")),
    ):
        assert "cannot find the adaptor 'redsi'" in text
        assert "give a path, or set DSMSG_LIB_DIR to its folder" in text
