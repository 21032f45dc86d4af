#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# amqp_simple_wait_frame_noblock() takes its time as a timeval, in microseconds, and cuts it down to whole milliseconds: a wait of 0.9 ms
# returns at once. A loop around it that has something to do in less than a millisecond uses a whole core.
source "$(dirname "$0")/common.bash"

expect "a wait of 0.9 ms takes 0.9 ms: about 550 of them in half a second"

(cd "$work" && apt-get download -qq librabbitmq4 && dpkg -x librabbitmq4_*.deb root)
library=$(find "$work/root" -name 'librabbitmq.so.4' | head -n 1)

timeout 60 python3 - "$library" <<'PYTHON'
import ctypes
import socket
import sys
import time

library = ctypes.CDLL(sys.argv[1])
library.amqp_version.restype = ctypes.c_char_p
library.amqp_new_connection.restype = ctypes.c_void_p
library.amqp_tcp_socket_new.restype = ctypes.c_void_p
print("package: librabbitmq4, rabbitmq-c", library.amqp_version().decode())


class Timeval(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("microseconds", ctypes.c_long)]


silent = socket.create_server(("127.0.0.1", 0))  # the kernel accepts, nothing is ever sent
connection = ctypes.c_void_p(library.amqp_new_connection())
end = ctypes.c_void_p(library.amqp_tcp_socket_new(connection))
assert library.amqp_socket_open(end, b"127.0.0.1", silent.getsockname()[1]) == 0


def waits(microseconds):
    """How many waits of this length end in half a second."""
    frame = ctypes.create_string_buffer(256)
    count = 0
    begin = time.monotonic()
    while time.monotonic() - begin < 0.5:
        wait = Timeval(0, microseconds)
        code = library.amqp_simple_wait_frame_noblock(connection, frame, ctypes.byref(wait))
        assert code == -13, code  # AMQP_STATUS_TIMEOUT
        count += 1
    return count


short, long = waits(900), waits(1900)
print(f"seen: {short} waits of 0.9 ms in half a second, {long} of 1.9 ms")
assert long < 500 and short > 5000, "the behaviour has changed"
PYTHON
