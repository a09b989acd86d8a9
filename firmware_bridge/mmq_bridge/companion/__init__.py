# SPDX-License-Identifier: Apache-2.0
"""The companion page: a bundle at work in a browser, core and network as WebAssembly."""
