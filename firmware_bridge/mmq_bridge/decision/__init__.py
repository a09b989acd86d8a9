# SPDX-License-Identifier: Apache-2.0
"""From tokens to a decision: the bundle's manifest, its model, the device."""
