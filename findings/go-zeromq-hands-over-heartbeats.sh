#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# go-zeromq/zmq4, ZeroMQ in pure Go, does not answer heartbeats: a subscriber gets each PING as a message, whatever it subscribed to, and
# when a libzmq publisher misses the answer and closes the connection, Recv ends with EOF.
source "$(dirname "$0")/common.bash"

python_with pyzmq==27.3.0
mkdir "$work/sub" && cd "$work/sub"
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/go-zeromq/zmq4"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	sub := zmq4.NewSub(ctx)
	if err := sub.Dial(os.Args[1]); err != nil {
		panic(err)
	}
	if err := sub.SetOption(zmq4.OptionSubscribe, "camera"); err != nil {
		panic(err)
	}
	for {
		message, err := sub.Recv()
		if err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Printf("message %q\n", message.Frames)
	}
}
GO
go mod init sub 2>/dev/null
go get github.com/go-zeromq/zmq4@v0.17.0 2>/dev/null
CGO_ENABLED=0 go build -o sub .
echo "packages: github.com/go-zeromq/zmq4 v0.17.0, $(go version | cut -d' ' -f3)"
expect "the subscriber gets messages of its topic alone, for as long as there are some, with and without heartbeats"

run_python <<'PYTHON'
import subprocess
import sys
import time

import zmq


def subscriber_of(heartbeats):
    """What the subscriber printed within six seconds, or until it ended."""
    publisher = zmq.Context.instance().socket(zmq.PUB)
    publisher.linger = 0
    if heartbeats:
        publisher.heartbeat_ivl, publisher.heartbeat_timeout = 200, 1000
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    process = subprocess.Popen(["./sub", f"tcp://127.0.0.1:{port}"], stdout=subprocess.PIPE, text=True)
    for _ in range(300):
        publisher.send_multipart([b"camera", b"x"])
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.terminate()
    publisher.close()
    return process.communicate()[0].splitlines()


plain, beating = subscriber_of(False), subscriber_of(True)
wanted = 'message ["camera" "x"]'
others = [line for line in beating if line != wanted]
print(f"seen: without heartbeats: {plain.count(wanted)} messages, and {len(plain) - plain.count(wanted)} other lines")
print(f"seen: with heartbeats: {beating.count(wanted)} messages, and {sorted(set(others))}")
ok = plain and set(plain) == {wanted} and any("PING" in line for line in others) and beating[-1] == "error EOF"
sys.exit(0 if ok else 1)
PYTHON
echo "so: switch heartbeats off on sockets that pure Go programs connect to, or use a binding of libzmq"
