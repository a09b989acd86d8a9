# SPDX-License-Identifier: Apache-2.0
"""From recordings to windows: token streams, their cache, windows, normalisation."""
