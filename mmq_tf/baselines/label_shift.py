"""The label-shift null: labels moved in time within each session, so that only time is left to learn."""

import numpy as np

from mmq_tf.errors import MMQError


def shift_labels(
    labels: np.ndarray, session: np.ndarray, start_s: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Rotate each session's labels in time by a random part of its length.

    The share of each class and the length of the label's runs stay; their link with the signals is cut. A
    method that scores above chance on shifted labels has learnt something other than the label.

    Parameters
    ----------
    labels : int ``[N]``
    session : ``[N]``
        What tells sessions apart; subject and session together where sessions are named alike.
    start_s : float ``[N]``
        Each window's start, in seconds: the order in time.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        int ``[N]``, each session rotated by 20 to 80 % of its windows.

    Raises
    ------
    MMQError
        When the three arrays differ in length.
    """
    labels, session, start_s = np.asarray(labels), np.asarray(session), np.asarray(start_s)
    if not labels.shape == session.shape == start_s.shape:
        raise MMQError(
            "labels, session, start_s: expected equal lengths, "
            f"got {labels.shape}, {session.shape}, {start_s.shape}."
        )
    shifted = labels.copy()
    for name in np.unique(session):
        rows = np.flatnonzero(session == name)
        rows = rows[np.argsort(start_s[rows], kind="stable")]
        shifted[rows] = np.roll(labels[rows], int(round(rng.uniform(0.2, 0.8) * rows.size)))
    return shifted
