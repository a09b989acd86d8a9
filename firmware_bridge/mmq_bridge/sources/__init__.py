# SPDX-License-Identifier: Apache-2.0
"""Where samples come from: a recording replayed, live streams, boards."""
