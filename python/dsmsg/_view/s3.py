# SPDX-License-Identifier: Apache-2.0
"""Reads an object from S3 or a server that speaks it, signed with Signature Version 4.

Threads: any thread may call any method.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import quote, urlsplit

__all__ = ["Server"]

_NOTHING = hashlib.sha256(b"").hexdigest()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A signed request goes nowhere else."""

    def redirect_request(self, *_: object) -> None:
        """Follows none."""


@dataclass(frozen=True)
class Server:
    """A server and the keys for it.

    Attributes:
        endpoint: its URL.
        region: that requests are signed for.
        access_key: "": requests are not signed.
        secret_key: of the access key.
        token: of temporary keys.
    """

    endpoint: str
    region: str
    access_key: str
    secret_key: str
    token: str

    @classmethod
    def from_environment(cls) -> Server:
        """Takes the variables that all programs for S3 know: AWS_ENDPOINT_URL, AWS_REGION, ...

        Raises:
            ValueError: the endpoint is no URL.
        """
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
        endpoint = os.environ.get("AWS_ENDPOINT_URL") or f"https://s3.{region}.amazonaws.com"
        if urlsplit(endpoint).scheme not in ("http", "https"):
            raise ValueError(f"AWS_ENDPOINT_URL: {endpoint} is no URL of http or https")
        keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return cls(endpoint.rstrip("/"), region, *(os.environ.get(name, "") for name in keys))

    def get(self, path: str, most: int, timeout: float) -> bytes:
        """Returns an object.

        Args:
            path: bucket/key.
            most: bytes.
            timeout: seconds that the server may be silent.

        Raises:
            OSError: the server refused, is away, or the object is too large.
        """
        target = "/" + quote(path, safe="/-._~")
        address = self.endpoint + target
        request = urllib.request.Request(address, headers=self._signed(address))  # noqa: S310
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=timeout) as answer:
                data: bytes = answer.read(most + 1)
        except urllib.error.HTTPError as error:
            raise OSError(f"S3: the server answers {error.code} {error.reason}") from None
        if len(data) > most:
            raise OSError(f"{path} is too large for a picture")
        return data

    def _signed(self, address: str) -> dict[str, str]:
        """Headers of the request; the signature is that of Amazon's documentation of Version 4."""
        if not self.access_key:
            return {}
        url = urlsplit(address)
        now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        headers = {"host": url.netloc, "x-amz-content-sha256": _NOTHING, "x-amz-date": now}
        if self.token:
            headers["x-amz-security-token"] = self.token
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        wanted = f"GET\n{url.path}\n\n{lines}\n{names}\n{_NOTHING}"
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(wanted.encode()).hexdigest()}"
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        del headers["host"]  # urllib sends it
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, "
            f"Signature={signature}"
        )
        return headers
