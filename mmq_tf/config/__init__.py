# SPDX-License-Identifier: Apache-2.0
"""Every run is one validated TOML file."""
