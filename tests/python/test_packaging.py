# SPDX-License-Identifier: Apache-2.0
"""The container file and the Kubernetes example: well formed, and what they name is there.

Nothing is built or started here: there is neither a container engine nor a cluster.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dsmsg
import yaml
from dsmsg._find import find

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "packaging" / "Dockerfile"
ADAPTORS = ("amqp", "azure", "http", "kafka", "mqtt", "nats", "pulsar", "redis", "zmq")
# In every Debian, or brought by what is named.
SYSTEM = ("c", "m", "gcc_s", "stdc++", "z", "crypto", "ld-linux-x86", "ld-linux-aarch64")


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line)
    ]


def values(word: str) -> list[str]:
    return [rest for each, rest in instructions() if each == word]


def test_the_container_file() -> None:
    words = [word for word, _ in instructions()]
    assert set(words) <= {"FROM", "COPY", "WORKDIR", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"}
    build, final = values("FROM")
    assert build == f"{final} AS build"  # the interpreter of the virtual environment is in both
    assert values("COPY") == [". /src", "--from=build /opt/dsmsg /opt/dsmsg"]
    assert (ROOT / "scripts" / "setup").is_file()
    assert values("USER") == ["10001"]
    assert [json.loads(text) for text in values("ENTRYPOINT") + values("CMD")] == [
        ["dsmsg"],
        ["doctor"],
    ]
    for script in values("RUN"):
        subprocess.run(["sh", "-n", "-c", script], check=True)


def test_the_container_has_the_libraries_of_the_adaptors() -> None:
    packages = values("RUN")[-1].split()
    needed = set()
    for name in ADAPTORS:
        said = subprocess.run(
            ["readelf", "--wide", "--dynamic", find(name)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        needed |= set(re.findall(r"\(NEEDED\).*\[(?:lib)?([^]]+?)(?:-[\d.]+)?\.so", said))
    named = [name for name in packages if name.startswith("lib")]
    missing = {
        name
        for name in needed - set(SYSTEM)
        if not any(re.match(rf"lib{re.escape(name)}[\d-]", package) for package in named)
    }
    assert needed
    assert not missing


def documents() -> dict[str, dict[str, Any]]:
    text = (ROOT / "packaging" / "kubernetes.yaml").read_text()
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def test_the_kubernetes_example() -> None:
    found = documents()
    kinds = {kind: each["apiVersion"] for kind, each in found.items()}
    assert kinds == {"ConfigMap": "v1", "Deployment": "apps/v1"}
    deployment = found["Deployment"]["spec"]
    pod = deployment["template"]
    assert deployment["selector"]["matchLabels"] == pod["metadata"]["labels"]
    (container,) = pod["spec"]["containers"]
    assert container["image"] == f"dsmsg:{dsmsg.__version__}"
    assert container["image"] in DOCKERFILE.read_text()
    assert pod["spec"]["securityContext"]["runAsUser"] == int(values("USER")[0])
    volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert set(mounts.values()) == set(volumes)
    config = volumes[mounts["/etc/dsmsg"]]["configMap"]["name"]
    assert config == found["ConfigMap"]["metadata"]["name"]
    assert container["args"] == ["bridge", "/etc/dsmsg/bridge.yaml"]


def test_the_bridge_of_the_kubernetes_example(
    run_dsmsg: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text(documents()["ConfigMap"]["data"]["bridge.yaml"])
    assert b"good, 1 routes: events" in run_dsmsg("bridge", str(file), "--check").stdout
