# SPDX-License-Identifier: Apache-2.0
"""Adaptors for tests of `dsmsg certify`, and readers that are independent of it."""
