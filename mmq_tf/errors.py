# SPDX-License-Identifier: Apache-2.0
"""The one exception base of this package."""

from mmq_bridge.errors import UserError


class MMQError(UserError):
    """Something the user can mend: bad input, an impossible setting, a leaky request.

    The command line shows its message as one sentence and exits with 2.
    """
