# SPDX-License-Identifier: Apache-2.0
"""One battery over many servers, each with its package's defaults (`make compat`)."""
