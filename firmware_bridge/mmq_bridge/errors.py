# SPDX-License-Identifier: Apache-2.0
"""What every error of ours is, and the one exception base of `mmq_bridge`."""


class UserError(ValueError):
    """Something the user can mend; the message says what is wrong, where, and what to do.

    The base of `BridgeError` here, of `mmq_export.errors.ExportError` and of `mmq_tf.errors.MMQError`. A
    command line shows its message as one sentence and exits with 2.
    """


class BridgeError(UserError):
    """Something handed to the bridge cannot be used; the message says what, where and what to do."""
