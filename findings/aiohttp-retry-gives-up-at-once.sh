#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# aiohttp-retry does not try again when the connection fails, although its signature says "by default on all" exceptions; and after 429
# it asks again after 0.1 s, whatever Retry-After says. httpx-retries and urllib3 wait.
source "$(dirname "$0")/common.bash"

python_with aiohttp==3.14.5 aiohttp-retry==2.9.1 httpx-retries==0.6.0 urllib3==2.6.3
expect "with three attempts a request whose connection ended twice succeeds; after 429 with Retry-After: 2 the next one comes two seconds later"

run_python <<'PYTHON'
import asyncio
import http.server
import sys
import threading
import time

import httpx
import urllib3
from aiohttp_retry import ExponentialRetry, RetryClient
from httpx_retries import Retry, RetryTransport

requests = []


class Hook(http.server.BaseHTTPRequestHandler):
    """/lost ends the first two connections (aiohttp itself sends a GET twice); /busy answers 429 first."""

    def do_GET(self):
        requests.append(time.monotonic())
        if len(requests) <= 2 and self.path == "/lost":
            return
        self.send_response(429 if len(requests) == 1 else 200)
        if len(requests) == 1:
            self.send_header("Retry-After", "2")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"


async def with_aiohttp_retry(path, **options):
    retry = ExponentialRetry(attempts=3, statuses={429}, **options)
    async with RetryClient(retry_options=retry) as client, client.get(address + path) as answer:
        return answer.status


def with_httpx_retries(path):
    with httpx.Client(transport=RetryTransport(retry=Retry(total=3))) as client:
        return client.get(address + path).status_code


def with_urllib3(path):
    return urllib3.PoolManager(retries=urllib3.Retry(3, status_forcelist=[429])).request("GET", address + path).status


def tried(call, path):
    requests.clear()
    try:
        answer = call(path)
    except Exception as error:
        answer = type(error).__name__
    return answer, len(requests), requests[-1] - requests[0]


seen = {}
for name, call in {
    "aiohttp-retry": lambda path: asyncio.run(with_aiohttp_retry(path)),
    "aiohttp-retry, exceptions={Exception}": lambda path: asyncio.run(with_aiohttp_retry(path, exceptions={Exception})),
    "httpx-retries": with_httpx_retries,
    "urllib3": with_urllib3,
}.items():
    lost, busy = tried(call, "/lost"), tried(call, "/busy")
    seen[name] = lost[:2], busy[2]
    print(f"seen: {name}: connection lost: {lost[0]}, requests: {lost[1]}; 429: {busy[0]}, the next one {busy[2]:.1f} s later")
first, named, *others = seen.values()
sys.exit(
    0 if first[0] == ("ServerDisconnectedError", 2) and first[1] < 1.5 and named[0] == (200, 3)
    and all(lost == (200, 3) and pause > 1.8 for lost, pause in others) else 1
)
PYTHON
echo "so: name the exceptions, exceptions={aiohttp.ClientConnectionError}, and read Retry-After yourself (with Idempotency-Key for a POST)"
