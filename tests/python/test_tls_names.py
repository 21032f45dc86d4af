# SPDX-License-Identifier: Apache-2.0
"""The name that a TLS server is asked for, and that its certificate has to carry."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority
from dsmsg.adaptor import Adaptor

PATIENCE = 60.0
PROTOCOLS = ["amqp", "azure", "azure_edge", "http", "kafka", "mqtt", "nats", "pulsar", "redis"]


class Listener:
    """A TLS server that says nothing: it ends each connection after the handshake.

    Attributes:
        port: on loopback.
        cafile: the authority of its certificate, which is for localhost.
        names: what clients asked for that accepted the certificate; None: no name.
    """

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        identity = authority.issue("localhost")
        self.cafile = str(authority.cafile)
        self.names: list[str | None] = []
        self._asked: str | None = None
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(identity.cert, identity.key)
        self._context.sni_callback = self._note
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _note(self, _: object, name: str | None, __: object) -> None:
        self._asked = name

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            self._asked = None
            try:
                with self._context.wrap_socket(connection, server_side=True):
                    self.names.append(self._asked)
            except OSError:  # the client does not accept the certificate
                pass


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(tmp_path)
    yield listener
    listener.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_dot_behind_the_host_is_for_name_servers_only(listener: Listener, protocol: str) -> None:
    host = "localhost."
    address = f"{host};{listener.port}"
    if protocol.startswith("azure"):
        module = ";ModuleId=m" if protocol == "azure_edge" else ""
        key = base64.b64encode(b"key").decode()
        address = f"HostName={host}:{listener.port};DeviceId=d{module};SharedAccessKey={key}"
    options = {"enable-tls": 1, "tls-cafile": listener.cafile, "connect": "lazy"}
    with Adaptor(protocol).connect(address, options):
        deadline = time.monotonic() + PATIENCE
        while not listener.names:
            assert time.monotonic() < deadline, "no client accepted the certificate"
            time.sleep(0.005)
    assert set(listener.names) == {"localhost"}
