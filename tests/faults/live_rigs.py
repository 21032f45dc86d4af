# SPDX-License-Identifier: Apache-2.0
"""Adaptors whose other side keeps nothing: a listener must run from the beginning."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import paho.mqtt.client as paho
import zmq
from brokers.readers import ReaderError
from dsmsg.brokers import Broker
from dsmsg.brokers._process import free_port
from dsmsg.brokers.iothub import IotHubBroker
from paho.mqtt.enums import CallbackAPIVersion

from faults.books import number_of
from faults.programs import Sender, wait_for
from faults.rigs import Rig

__all__ = ["AzureEdgeRig", "AzureRig", "MqttQos0Rig", "MqttRig", "ZmqPubRig", "ZmqPushRig"]

_PATIENCE_S = 180.0
_MARK_S = 5.0
_MARKS = "recorder/mark"
_LOOK_MS = 50
_QUIET_LOOKS = 40


class _Recorder:
    """Numbers by topic, written by one thread and read by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, list[int]] = {}
        self._count = 0

    def add(self, topic: str, payload: bytes) -> None:
        number = number_of(payload)
        with self._lock:
            self._numbers.setdefault(topic, []).append(number)
            self._count += 1

    def count(self) -> int:
        """Returns how many messages have come, of all topics."""
        with self._lock:
            return self._count

    def of(self, topic: str) -> list[int]:
        """Returns a topic's messages so far."""
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
        self._marks = 0
        self._mark_seen = 0
        self._subscribed = threading.Event()
        super().__init__(folder)
        try:
            self._record()
        except BaseException:
            self.close()
            raise

    def _recorded_port(self) -> int:
        return self.broker.port

    def _topic_of(self, topic: str) -> str:
        """The pipeline's topic of a message, by its topic at the recorded server."""
        return topic

    def _record(self) -> None:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"recorder-{self._recorded_port()}",
            clean_session=False,
        )
        client.on_message = self._on_message
        client.on_connect = lambda client, *_: client.subscribe("#", qos=2)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.reconnect_delay_set(min_delay=1, max_delay=1)
        client.connect(self.broker.host, self._recorded_port(), keepalive=600)
        client.loop_start()
        self._client = client
        wait_for(self._subscribed.is_set, _PATIENCE_S, "mqtt: the recorder's subscription")

    def _on_message(self, client: Any, user: object, message: Any) -> None:  # noqa: ANN401
        if message.topic == _MARKS:
            self._mark_seen = int(message.payload)
        else:
            self._recorder.add(self._topic_of(message.topic), message.payload)

    def close(self) -> None:
        """Ends everything."""
        if hasattr(self, "_client"):
            with contextlib.suppress(OSError):
                self._client.disconnect()
            self._client.loop_stop()
        super().close()

    def received(self, topic: str) -> list[int]:
        """Everything that was recorded; complete, because a mark published now has come back.

        The server passes messages on in the order in which it got them.
        """
        first, heard, last = self._marks + 1, self._recorder.count(), time.monotonic()
        marked = -_MARK_S
        while self._mark_seen < first:
            now = time.monotonic()
            if self._recorder.count() > heard:
                heard, last = self._recorder.count(), now
            if now - last > _PATIENCE_S:
                raise ReaderError(f"mqtt: the recorder has heard nothing for {_PATIENCE_S:g} s")
            if now - marked > _MARK_S:  # again: one may have gone with a connection
                self._marks, marked = self._marks + 1, now
                self._client.publish(_MARKS, str(self._marks), qos=1)
            time.sleep(_LOOK_MS / 1000)  # between two looks
        return self._recorder.of(topic)


class MqttQos0Rig(MqttRig):
    """QoS 0: OK means written to the socket."""

    name = "mqtt-qos0"
    acknowledged = False
    options: ClassVar[dict[str, object]] = {"qos": 0}


class AzureRig(MqttRig):
    """A device at a stand-in for Azure IoT Hub, recorded at the Mosquitto behind it."""

    name = adaptor = "azure"
    kind = "iothub"
    module: ClassVar[str] = ""
    options: ClassVar[dict[str, object]] = {"topic-property": "topic"}

    def _recorded_port(self) -> int:
        return self.broker.ports["mqtt"]

    def _topic_of(self, topic: str) -> str:
        return topic.split("/")[1] if topic.startswith("events/") else topic

    def sender(self, connection: str, topic: str, *, name: str = "", **more: object) -> Sender:
        """Connects a pipeline that is a device of its own."""
        assert isinstance(self.broker, IotHubBroker)
        more["connection_str"] = self.broker.connection_string((name or topic) + self.module)
        more["tls_cafile"] = self.broker.dir / "ca.pem"
        more["tls_server_name"] = "localhost"
        return super().sender(connection, topic, name=name, **more)


class AzureEdgeRig(AzureRig):
    """A module there: the topic is its output."""

    name = adaptor = "azure_edge"
    module: ClassVar[str] = "/camera"
    options: ClassVar[dict[str, object]] = {}


class _Socket(Broker):
    """A PULL or SUB socket in this process that can go away and come back like a server."""

    kind = "zmq-socket"
    scheme = "zmq"
    set_help = "it has no settings"
    sort: ClassVar[int] = zmq.PULL

    def __init__(self) -> None:
        super().__init__(port=free_port())
        self.recorder = _Recorder()
        self.quiet_looks = 0
        self.error: Exception | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def _prepare(self) -> list[str]:
        raise NotImplementedError

    def _set(self, name: str, value: object) -> None:
        raise TypeError("it has no settings")

    def _ready(self, log_offset: int) -> bool:
        return self._thread is not None

    def start(self) -> _Socket:
        """Binds the socket."""
        if self._thread is None:
            socket = zmq.Context.instance().socket(self.sort)
            if self.sort == zmq.SUB:
                socket.setsockopt(zmq.SUBSCRIBE, b"")
            socket.setsockopt(zmq.LINGER, 0)
            wait_for(lambda: self._bind(socket), 120, f"binding {self.address}")
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
        try:
            while not self._stop.is_set():
                if socket.poll(_LOOK_MS):
                    topic, payload = socket.recv_multipart()
                    self.recorder.add(topic.decode(), payload)
                    self.quiet_looks = 0
                else:
                    self.quiet_looks += 1
        except Exception as error:
            self.error = error
        finally:
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

    def received(self, topic: str) -> list[int]:
        """What was recorded until the socket was found empty many times, one after the other.

        Whether more is on its way cannot be told: OK promises nothing here, and nothing is counted
        as lost. Checks are counted, not time, so that a thread that gets no core misses nothing.
        """
        socket = self.broker
        assert isinstance(socket, _Socket)
        socket.quiet_looks = 0
        wait_for(
            lambda: socket.error or socket.quiet_looks > _QUIET_LOOKS, 120, "quiet at the recorder"
        )
        if socket.error is not None:
            raise ReaderError(f"zmq: the recorder's thread has ended: {socket.error!r}")
        return socket.recorder.of(topic)


class ZmqPubRig(ZmqPushRig):
    """PUB to a SUB socket: an absent subscriber misses messages."""

    name = "zmq-pub"
    options: ClassVar[dict[str, object]] = {
        "socket_type": "PUB",
        "bind": 0,
        "reconnect_interval": "200ms",
        "queue-size": 100000,
    }
    socket: ClassVar[type[_Socket]] = _Subscriber
