# SPDX-License-Identifier: Apache-2.0
"""Adaptors whose other side keeps nothing: somebody has to listen from the beginning."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import paho.mqtt.client as paho
import zmq
from dsmsg.brokers import Broker
from dsmsg.brokers._process import free_port
from paho.mqtt.enums import CallbackAPIVersion

from faults.books import number_of
from faults.programs import wait_for
from faults.rigs import Rig

__all__ = ["MqttQos0Rig", "MqttRig", "ZmqPubRig", "ZmqPushRig"]

_QUIET_S = 2.0
_SETTLED_S = 0.2  # for duplicates that may follow


class _Recorder:
    """Numbers by topic, written by one thread and read by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, list[int]] = {}
        self._last = time.monotonic()

    def add(self, topic: str, payload: bytes) -> None:
        number = number_of(payload)
        with self._lock:
            self._numbers.setdefault(topic, []).append(number)
            self._last = time.monotonic()

    def of(self, topic: str, expected: int) -> list[int]:
        """Returns a topic's messages, complete or when none has come for two seconds."""

        def done() -> bool:
            with self._lock:
                quiet = time.monotonic() - self._last
                complete = len(set(self._numbers.get(topic, []))) >= expected
            return quiet > (_SETTLED_S if complete else _QUIET_S)

        wait_for(done, 120, "quiet at the recorder")
        with self._lock:
            return list(self._numbers.get(topic, []))


class MqttRig(Rig):
    """Mosquitto, with a subscriber (paho) that has a persistent session."""

    name = adaptor = "mqtt"
    kind = "mosquitto"
    keeps_acknowledged = False
    qos: ClassVar[int] = 1

    def __init__(self, folder: Path) -> None:
        """Starts server, proxy and subscriber."""
        self._recorder = _Recorder()
        super().__init__(folder)
        self._subscribed = threading.Event()
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"recorder-{self.broker.port}",
            clean_session=False,
        )
        client.on_message = self._on_message
        client.on_connect = lambda client, *_: client.subscribe("#", qos=2)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.reconnect_delay_set(min_delay=1, max_delay=1)
        client.connect(self.broker.host, self.broker.port, keepalive=600)
        client.loop_start()
        self._client = client
        wait_for(self._subscribed.is_set, 30, "mqtt: the recorder's subscription")

    def _on_message(self, client: Any, user: object, message: Any) -> None:  # noqa: ANN401
        self._recorder.add(message.topic, message.payload)

    def close(self) -> None:
        """Ends everything."""
        if hasattr(self, "_client"):
            with contextlib.suppress(OSError):
                self._client.disconnect()
            self._client.loop_stop()
        super().close()

    def received(self, topic: str, expected: int) -> list[int]:
        """What was recorded."""
        return self._recorder.of(topic, expected)


class MqttQos0Rig(MqttRig):
    """QoS 0: OK means written to the socket."""

    name = "mqtt-qos0"
    acknowledged = False
    options: ClassVar[dict[str, object]] = {"qos": 0}


class _Socket(Broker):
    """A PULL or SUB socket in this process, with what a server has: it can go and come back."""

    kind = "zmq-socket"
    scheme = "zmq"
    set_help = "there are no settings"
    sort: ClassVar[int] = zmq.PULL

    def __init__(self) -> None:
        super().__init__(port=free_port())
        self.recorder = _Recorder()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def _prepare(self) -> list[str]:
        raise NotImplementedError

    def _set(self, name: str, value: object) -> None:
        raise TypeError("there are no settings")

    def _ready(self, log_offset: int) -> bool:
        return self._thread is not None

    def start(self) -> _Socket:
        """Binds the socket."""
        if self._thread is None:
            socket = zmq.Context.instance().socket(self.sort)
            if self.sort == zmq.SUB:
                socket.setsockopt(zmq.SUBSCRIBE, b"")
            socket.setsockopt(zmq.LINGER, 0)
            wait_for(lambda: self._bind(socket), 10, f"binding {self.address}")
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, args=(socket,), daemon=True)
            self._thread.start()
        return self

    def _bind(self, socket: Any) -> bool:  # noqa: ANN401
        try:  # libzmq frees the address of a closed socket some time after close()
            socket.bind(f"tcp://{self.address}")
        except zmq.ZMQError:
            return False
        return True

    def _run(self, socket: Any) -> None:  # noqa: ANN401
        while not self._stop.is_set():
            if socket.poll(50):
                topic, payload = socket.recv_multipart()
                self.recorder.add(topic.decode(), payload)
        socket.close()

    def kill(self) -> None:
        """Closes the socket with what it has not read."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join()

    stop = kill


class _Subscriber(_Socket):
    sort = zmq.SUB


class ZmqPushRig(Rig):
    """PUSH to a PULL socket: OK means that libzmq took it."""

    name = "zmq-push"
    adaptor = kind = "zmq"
    acknowledged = False
    options: ClassVar[dict[str, object]] = {
        "socket_type": "PUSH",
        "reconnect_interval": "200ms",
        "queue-size": 100000,
        "topic_frame": 1,
    }
    socket: ClassVar[type[_Socket]] = _Socket

    def _make_broker(self) -> Broker:
        return self.socket()

    def at(self, host: str, port: int) -> str:
        """Connection string of an address."""
        return f"tcp://{host}:{port}"

    def received(self, topic: str, expected: int) -> list[int]:
        """What was recorded."""
        assert isinstance(self.broker, _Socket)
        return self.broker.recorder.of(topic, expected)


class ZmqPubRig(ZmqPushRig):
    """PUB to a SUB socket: who does not listen misses it."""

    name = "zmq-pub"
    options: ClassVar[dict[str, object]] = {
        "socket_type": "PUB",
        "bind": 0,
        "reconnect_interval": "200ms",
        "queue-size": 100000,
    }
    socket: ClassVar[type[_Socket]] = _Subscriber
