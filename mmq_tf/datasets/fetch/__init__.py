# SPDX-License-Identifier: Apache-2.0
"""Public data sets, fetched file by file and verified by SHA-256."""
