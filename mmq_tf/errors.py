# SPDX-License-Identifier: Apache-2.0
"""The exception base of this package: that of `mmq_bridge`."""

from mmq_bridge.errors import MMQError

__all__ = ["MMQError"]
