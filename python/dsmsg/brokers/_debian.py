# SPDX-License-Identifier: Apache-2.0
"""Servers of Debian 13 on an older system: in a root made by debootstrap, kept in the cache.

A server runs in that root, in the network of this machine, with its own folder and that of
temporary files mounted at the same paths. Only root can do that.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from dsmsg.brokers._base import BrokerError
from dsmsg.brokers._cache import cached, run_tool, say

__all__ = ["debian13_programs", "debian13_version"]

_PACKAGES = "mosquitto,redis-server,rabbitmq-server"
_PROGRAMS = {
    "mosquitto": "/usr/sbin/mosquitto",
    "redis-server": "/usr/bin/redis-server",
    "rabbitmq-server": "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "rabbitmqctl": "/usr/lib/rabbitmq/bin/rabbitmqctl",
}
# The process keeps its id from here to the server. The working folder is the broker's.
_SCRIPT = """\
#!/bin/sh
root=$(dirname "$(dirname "$0")")/root
exec unshare -m sh -ec 'root=$1 folder=$2 program=$3
shift 3
for each in "${{TMPDIR:-/tmp}}" "$folder"; do
  mkdir -p "$root$each"
  mount --bind "$each" "$root$each"
done
mount -t proc proc "$root/proc"
exec chroot "$root" sh -c '\\''cd "$0" && exec "$@"'\\'' "$folder" "$program" "$@"' \\
  sh "$root" "$PWD" {program} "$@"
"""


def debian13_programs() -> Path:
    """Returns a folder with programs that run Debian 13's servers.

    Raises:
        BrokerError: it cannot be made.
    """
    if os.getuid() != 0:
        raise BrokerError("debian13: a root of Debian 13 needs root (run it as root)")
    folder = cached("debian13-1", _fill)
    assert folder is not None  # noqa: S101 - it fetches
    return folder / "bin"


def debian13_version(package: str) -> str:
    """Returns the upstream version of a package in the root.

    Raises:
        BrokerError: as `debian13_programs`.
    """
    root = debian13_programs().parent / "root"
    command = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W"]
    command += ["-f", "${source:Upstream-Version}", package]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return text.partition("+")[0]


def _fill(work: Path) -> str:
    say("debian13: making a root of Debian 13 with debootstrap (once; this takes minutes)")
    mirror = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    debian = [line for line in mirror if line.rstrip("/").endswith("/debian")]
    command = ["unshare", "-m", "debootstrap", "--variant=minbase", f"--include={_PACKAGES}"]
    command += ["trixie", str(work / "root"), *debian[:1]]
    hint = "Debian, Ubuntu: apt-get install util-linux debootstrap"
    if error := run_tool("debian13", command, work, hint):
        return error
    (work / "bin").mkdir()
    for name, program in _PROGRAMS.items():
        path = work / "bin" / name
        path.write_text(_SCRIPT.format(program=program), encoding="ascii")
        path.chmod(0o755)
    return ""
