# SPDX-License-Identifier: Apache-2.0
"""One battery over many servers, each as its package leaves it (`make compat`)."""
