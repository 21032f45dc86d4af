# SPDX-License-Identifier: Apache-2.0
# What the scripts of this folder share: a temporary folder, pinned packages in it, servers on free loopback ports, and an end that
# leaves nothing behind. Sourced, not run.
set -euo pipefail

work=$(mktemp -d)
pids=()

finish() {
  for pid in "${pids[@]}"; do
    kill -CONT "$pid" 2>/dev/null || true
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

# python_with PACKAGE==VERSION...: a virtual environment; `run_python` runs standard input in it, for two minutes at most.
python_with() {
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "$@"
  printf 'packages: %s, Python %s\n' "$*" "$("$work/venv/bin/python" -c 'import platform; print(platform.python_version())')"
}

run_python() { timeout 120 "$work/venv/bin/python" - "$@"; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# serve COMMAND...: runs a server until the script ends; its process id is in $server.
serve() {
  "$@" >"$work/server.log" 2>&1 &
  server=$!
  pids+=("$server")
}

# wait_for_port PORT: until the server listens there, half a minute at most.
wait_for_port() {
  for _ in $(seq 150); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
    sleep 0.2
  done
  echo "no server on port $1:" && cat "$work/server.log"
  return 1
}

expect() { printf 'expected: %s\n' "$1"; }
