# SPDX-License-Identifier: Apache-2.0
"""Extract the features of a whole data set into the cache, one subject per worker at a time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmq_bridge.errors import BridgeError

from mmq_tf.datasets import Joint, open_dataset
from mmq_tf.errors import MMQError
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.token_streams import Source, load_stream, prepare
from mmq_tf.features.windows import Stream
from mmq_tf.utils.parallel import parallel_map
from mmq_tf.utils.progress import SILENT, WorkProgress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """One subject's tokens are in the cache, or why they are not.

    Attributes
    ----------
    name : str
        As `Dataset.subjects` gives it.
    made : tuple of str
        What had to be made; empty where everything was there.
    fault : str
        Empty, or the sentence that says what is wrong with the recording.
    """

    name: str
    made: tuple[str, ...] = ()
    fault: str = ""


def prepare_dataset(
    dataset: str | Joint,
    folder: Path,
    settings: TokenSettings,
    *,
    jobs: int = 1,
    skip_bad: bool = False,
    progress: WorkProgress = SILENT,
) -> list[Prepared]:
    """Put every subject's tokens into the cache.

    Parameters
    ----------
    dataset, folder
        The data set, as `open_dataset` takes it, and where it lies.
    settings : TokenSettings
        How samples become tokens.
    jobs : int
        Processes at most; each holds one recording in memory.
    skip_bad : bool
        Go on where a recording is bad, and report it.
    progress : WorkProgress
        Told the number of subjects, each one's outcome when it is done, and at the end which are bad.

    Returns
    -------
    list of Prepared
        In the order of `Dataset.subjects`.

    Raises
    ------
    MMQError, BridgeError
        If a recording is bad and `skip_bad` is off, or none is good, or a worker dies.
    """
    names = open_dataset(dataset, folder).subjects(folder)
    done: dict[str, Prepared] = {}
    outcomes = parallel_map(
        partial(prepare_subject, dataset, folder, settings=settings),
        names,
        jobs,
        if_killed="run it again with fewer --jobs: what was finished is kept.",
    )
    with progress.preparing(), contextlib.closing(outcomes):
        progress.on_total(len(names))
        for prepared, error in outcomes:
            if error is not None and not skip_bad:
                raise error
            done[prepared.name] = prepared
            progress.on_recording(prepared.name, prepared.fault)
    if all(prepared.fault for prepared in done.values()):
        raise MMQError(f"none of the {len(names)} recordings can be read; the first: {done[names[0]].fault}")
    for name in names:
        if done[name].fault:
            progress.note(f"bad {name}: {done[name].fault}")
    return [done[name] for name in names]


def load_prepared(
    dataset: str | Joint, folder: Path, settings: TokenSettings, prepared: Sequence[Prepared]
) -> list[Stream]:
    """Return the token streams of the subjects that are not bad, from the cache."""
    source = open_dataset(dataset, folder)
    good = [one.name for one in prepared if not one.fault]
    return [load_stream(Source.of_subject(source, folder, name), settings) for name in good]


_Outcome = tuple[Prepared, MMQError | BridgeError | None]


def prepare_subject(dataset: str | Joint, folder: Path, name: str, settings: TokenSettings) -> _Outcome:
    """Put one subject's tokens into the cache; what is wrong with a recording is returned, not raised."""
    try:
        made = prepare(Source.of_subject(open_dataset(dataset, folder), folder, name), settings)
    except (MMQError, BridgeError) as error:
        return Prepared(name, fault=str(error)), error
    return Prepared(name, tuple(made)), None
