# SPDX-License-Identifier: Apache-2.0
"""How recordings lie on disk: one file per format."""
