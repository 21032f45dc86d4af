# SPDX-License-Identifier: Apache-2.0
"""The proxy that stops serving in different ways; `dsmsg certify` uses it too."""

from dsmsg.brokers._proxy import Proxy

__all__ = ["Proxy"]
