# SPDX-License-Identifier: Apache-2.0
"""MNE's talk goes to our log; what makes a fit worthless becomes an error."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from mmq_tf.errors import MMQError

logger = logging.getLogger(__name__)


@contextmanager
def mne_through_the_log(what: str) -> Iterator[None]:
    """Run MNE with its progress off and each of its warnings written to our log.

    Parameters
    ----------
    what : str
        What is being done, for the messages.

    Raises
    ------
    MMQError
        When ICA does not converge, MNE refuses the data, or its equations have no solution.
    """
    import mne
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            with mne.use_log_level("WARNING"), _silent_console():
                yield
        except ConvergenceWarning as error:
            raise MMQError(
                f"{what}: ICA did not converge ({_line(error)}): record longer, name bad channels, or take"
                " another seed."
            ) from error
        except np.linalg.LinAlgError as error:
            raise MMQError(
                f"{what}: the channels are linearly dependent ({_line(error)}): leave out one that repeats"
                " another."
            ) from error
        except MMQError:
            raise
        except (ValueError, RuntimeError) as error:
            raise MMQError(f"{what}: MNE refuses the recording ({_line(error)}).") from error
    for text in dict.fromkeys(_line(entry.message) for entry in said if _is_for_users(entry)):
        logger.warning("%s: MNE says: %s", what, text)


@contextmanager
def _silent_console() -> Iterator[None]:
    """Keep MNE's logger from writing warnings to the console a second time."""
    import mne

    handlers = list(mne.utils.logger.handlers)
    for handler in handlers:
        mne.utils.logger.removeHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            mne.utils.logger.addHandler(handler)


def _is_for_users(entry: warnings.WarningMessage) -> bool:
    return not issubclass(entry.category, DeprecationWarning | PendingDeprecationWarning)


def _line(message: object) -> str:
    return " ".join(str(message).split())[:300]
