# SPDX-License-Identifier: Apache-2.0
"""What a user is told when something is refused."""

from collections.abc import Callable

import pytest

from mmq_tf.errors import MMQError


def refused(call: Callable[[], object], *words: str) -> str:
    """Check that `call()` raises one sentence that holds all the words, and return it."""
    with pytest.raises(MMQError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message
    for word in words:
        assert word in message, message
    return message
