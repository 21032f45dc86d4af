# SPDX-License-Identifier: Apache-2.0
"""The benchmark suite: runs the programs of benchmarks/ and writes the report.

What it measures and how to read it: docs/performance.md.
"""
