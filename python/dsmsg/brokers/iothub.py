# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Azure IoT Hub, for tests and trials."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import ClassVar

from dsmsg.brokers._base import texts
from dsmsg.brokers._hub import Hub
from dsmsg.brokers._identity import make_identity
from dsmsg.brokers.mosquitto import MosquittoBroker

__all__ = ["IotHubBroker"]


class IotHubBroker(MosquittoBroker):
    """A `mosquitto` process behind a checker that speaks as Azure IoT Hub does, with TLS.

    Every device and module exists, with the key `KEY`. What one sends comes to all that listen:
    with the output as input, or the property "topic" as it is. `ports["mqtt"]` is Mosquitto itself.
    Like a hub's, the sessions of devices are kept, and messages wait there.
    """

    kind: ClassVar[str] = "iothub"
    scheme: ClassVar[str] = "mqtts"
    settings: ClassVar[tuple[str, ...]] = ("config", "identity")
    can_tls: ClassVar[bool] = False
    can_password: ClassVar[bool] = False
    KEY: ClassVar[bytes] = b"dsmsg's key for trials, no secret"

    _identity: tuple[Path, ...] = ()
    _hub: Hub | None = None

    def connection_string(self, client: str) -> str:
        """Returns that of a device, or of a module ("device/module")."""
        device, _, module = client.partition("/")
        return (
            f"HostName=localhost:{self.port};DeviceId={device}"
            + (f";ModuleId={module}" if module else "")
            + f";SharedAccessKey={base64.b64encode(self.KEY).decode()}"
        )

    @property
    def conn_str(self) -> str:
        """That of the device "trial"."""
        return self.connection_string("trial")

    @property
    def url(self) -> str:
        """The same: a hub has no URL."""
        return self.conn_str

    def client_settings(self, *, tls: bool = False, password: str | None = None) -> dict[str, str]:
        """Returns the adaptor's options: a hub always has TLS, and no passwords."""
        return {"tls-cafile": str(self.dir / "ca.pem")}

    def _set(self, name: str, value: object) -> None:
        if name == "identity":  # one certificate that signs itself, and its key; or none
            self._identity = tuple(map(Path, texts(value)))
        else:
            super()._set(name, value)

    def _listener(self) -> int:
        return self._extra_port("mqtt")

    def _prepare(self) -> list[str]:
        # The checker's side acknowledges late: with Nagle's algorithm each answer would wait.
        line = "set_tcp_nodelay true"
        self.config = [line, *(each for each in self.config if each != line)]
        return super()._prepare()

    def _ready(self, log_offset: int) -> bool:
        if not super()._ready(log_offset):
            return False
        if not self._identity:
            made = make_identity(self.dir)
            cert, key = made.cert, made.key
        else:
            cert, key = self._identity
        self._hub = Hub(
            "localhost", self._listener(), cert, key, port=self.port, loops=True, records=False
        )
        self._hub.any_key = self.KEY
        return True

    def stop(self) -> None:
        """Ends the server; port and data stay."""
        self._end_hub()
        super().stop()

    def kill(self) -> None:
        """Ends the server at once; port and data stay."""
        self._end_hub()
        super().kill()

    def _end_hub(self) -> None:
        with self._lock:
            if self._hub is not None:
                self._hub.close()
                self._hub = None
