# SPDX-License-Identifier: Apache-2.0
"""A bundle's C code as the packages that firmware is built from."""
