# SPDX-License-Identifier: Apache-2.0
"""One C source on every target: build it, replay the same samples, compare every bit that comes out."""
