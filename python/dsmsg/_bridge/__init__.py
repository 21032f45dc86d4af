# SPDX-License-Identifier: Apache-2.0
"""What `dsmsg.Bridge` is made of: file (`document`, `plan`), brokers (`sides`), `loops`.

Threads: pure functions and values; any thread.
"""
