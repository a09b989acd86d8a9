# SPDX-License-Identifier: Apache-2.0
"""The companion page: a bundle at work in a browser, its core as WebAssembly, its model in LiteRT."""
