# SPDX-License-Identifier: Apache-2.0
"""The versioned description of how samples become tokens."""
