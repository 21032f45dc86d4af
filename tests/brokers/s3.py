# SPDX-License-Identifier: Apache-2.0
"""An S3 server that checks signatures (moto, of PyPI), and AWS's own client to look into it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from dsmsg.brokers._packaged import PackagedBroker
from dsmsg.brokers._registries import pip_folder

__all__ = ["S3Server"]

_VERSION = "5.2.1"
_REGION = "us-east-1"
_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


class S3Server(PackagedBroker):
    """A server whose objects are gone when it ends.

    Whoever comes first makes a user with a key; from then on, requests need that key's signature.
    """

    kind: ClassVar[str] = "s3"
    scheme: ClassVar[str] = "http"
    version: ClassVar[str] = _VERSION
    set_help: ClassVar[str] = "none"
    hello: ClassVar[bytes] = b"GET /moto-api/ HTTP/1.0\r\n\r\n"
    answer: ClassVar[bytes] = b"HTTP/1.1 200"
    key = secret = ""
    """Of the user."""

    @classmethod
    def fetch(cls) -> Path:
        """Fetches server and client; returns their folder."""
        return pip_folder("moto[server]", _VERSION)

    def _prepare(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", self.host, "-p", str(self.port)]

    def _environment(self) -> Mapping[str, str]:
        # The three requests of add_user need no signature.
        return {
            **os.environ,
            "PYTHONPATH": str(self.fetch()),
            "INITIAL_NO_AUTH_ACTION_COUNT": "3",
        }

    def client(self, service: str = "s3") -> Any:  # noqa: ANN401 - boto3 makes its classes
        """Returns a client of boto3 with the user's key."""
        folder = str(self.fetch())
        if folder not in sys.path:
            sys.path.append(folder)
        return importlib.import_module("boto3").client(
            service,
            endpoint_url=self.url,
            region_name=_REGION,
            aws_access_key_id=self.key or "none",
            aws_secret_access_key=self.secret or "none",
        )

    def add_user(self) -> None:
        """Makes the user that may do everything. The first thing after a start."""
        users = self.client("iam")
        users.create_user(UserName="camera")
        users.put_user_policy(UserName="camera", PolicyName="all", PolicyDocument=_ALL)
        made = users.create_access_key(UserName="camera")["AccessKey"]
        self.key, self.secret = made["AccessKeyId"], made["SecretAccessKey"]
