# SPDX-License-Identifier: Apache-2.0
"""The one exception base of `mmq_bridge`."""


class BridgeError(ValueError):
    """Something handed to the bridge cannot be used; the message says what, where and what to do."""
