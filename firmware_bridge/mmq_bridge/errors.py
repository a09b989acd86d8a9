# SPDX-License-Identifier: Apache-2.0
"""The one exception base of all three packages, and what `mmq_bridge` raises."""


class MMQError(ValueError):
    """Something the user can mend: bad input, an impossible setting, a leaky request.

    The message says what is wrong, where, and what to do. A command line shows it as one sentence and exits
    with 2.
    """


class BridgeWarning(UserWarning):
    """Something that works, but not as the model was trained; a command line shows it on stderr."""


class BridgeError(MMQError):
    """Something handed to the bridge cannot be used; the message says what, where and what to do."""
