# SPDX-License-Identifier: Apache-2.0
"""The one exception base of this package."""

from mmq_bridge.errors import MMQError


class ExportError(MMQError):
    """A model that cannot be exported, or a bundle that cannot be trusted.

    The command line shows its message as one sentence and exits with 2.
    """
