# SPDX-License-Identifier: Apache-2.0
"""One module an adaptor, generated from its table of options (make generate)."""
