# SPDX-License-Identifier: Apache-2.0
"""The fault suite: real servers, real faults, and books that must balance afterwards.

`python -m faults` (from `tests/`; `make faults` does it) runs the long form and prints the table;
`tests/python/test_faults.py` runs the short one. A case sends numbered messages through an adaptor,
meanwhile something breaks, and afterwards another client reads what the broker holds.
"""
