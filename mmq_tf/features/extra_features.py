# SPDX-License-Identifier: Apache-2.0
"""Features of one's own, computed in Python from each token's samples: for research, never for a device.

A function takes the samples of one token, float32 ``[channels, n]`` with NaN where a sample was lost, and
their rate in Hz, and returns one number; NaN where it could not be measured. It sees no other token. A
configuration names it::

    [front_end.modalities.ppg.extra_features]
    spread = "my_lab.pulse:spread"

Whether a token is present is for the core's quality rules alone to say. The C core normalises these features
too: it is handed them as if they were features it knows.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmq_bridge.core_binding.native import TokenStream, extract_tokens, normalise_tokens
from mmq_bridge.front_end.enrolment import evidence
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation

from mmq_tf.errors import MMQError
from mmq_tf.recording import Signal

ExtraFeature = Callable[[np.ndarray, float], float]
"""The samples of a token ``[channels, n]`` and their rate in Hz become one number."""


def load_function(path: str) -> Any:
    """Return the function that ``module:function`` names.

    Raises
    ------
    MMQError
        If the module cannot be imported or has no such function.
    """
    module, _, name = path.partition(":")
    try:
        found: Any = getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever a user's module does when it is imported
        raise MMQError(
            f"extra_features: {path} cannot be loaded ({type(error).__name__}: {error})."
        ) from error
    if not callable(found):
        raise MMQError(f"extra_features: {path} is not a function.")
    return found


def functions_digest(front_end: FrontEnd) -> str:
    """Return the SHA-256 (hex) of the files that hold the extra features' functions."""
    digest = hashlib.sha256()
    for modality in front_end.modalities.values():
        for path in modality.extra_features.values():
            file = inspect.getsourcefile(inspect.unwrap(load_function(path)))
            digest.update(Path(file).read_bytes() if file else path.encode())
    return digest.hexdigest()


def modality_tokens(front_end: FrontEnd, name: str, signal: Signal, stop_s: float) -> TokenStream:
    """Extract the tokens of one modality, its extra features after its own.

    Parameters
    ----------
    front_end : FrontEnd
        Of that modality alone.
    name : str
        The modality.
    signal : Signal
        Its samples.
    stop_s : float
        Where the recording ends, in s.

    Raises
    ------
    MMQError
        If a function cannot be loaded, fails, or returns something else than a number.
    BridgeError
        As `mmq_bridge.core_binding.native.extract_tokens`.
    """
    tokens = extract_tokens(front_end.without_extra_features(), {name: signal}, stop_s=stop_s)
    extras = front_end.modalities[name].extra_features
    if not extras:
        return tokens
    columns = [_column(path, signal, tokens.presence[:, 0], front_end.token_s) for path in extras.values()]
    features = np.column_stack([tokens.features, *columns]).astype(np.float32)
    return TokenStream(features, tokens.presence, tokens.reasons)


def _column(path: str, signal: Signal, present: np.ndarray, token_s: float) -> np.ndarray:
    """Return one extra feature of each token, float64 [n]; 0 where the token is absent."""
    function, values = load_function(path), np.zeros(len(present))
    for token in np.flatnonzero(present):
        samples = _samples(signal, int(token), token_s)
        values[token] = _number(path, function, samples, signal.sampling_rate_hz)
    return values


def _samples(signal: Signal, token: int, token_s: float) -> np.ndarray:
    """Return the samples [channels, n] whose times lie in a token, as the core counts them."""
    rate, total = signal.sampling_rate_hz, signal.samples.shape[1]
    edges = ((token + step) * token_s - signal.start_s for step in (0, 1))
    first, last = (min(max(math.ceil(edge * rate - 0.03), 0), total) for edge in edges)
    return signal.samples[:, first:last].copy()


def _number(path: str, function: ExtraFeature, samples: np.ndarray, rate_hz: float) -> float:
    try:
        value = float(function(samples, rate_hz))
    except Exception as error:  # whatever a user's function does
        raise MMQError(
            f"extra_features: {path} failed on samples {list(samples.shape)} at {rate_hz:g} Hz "
            f"({type(error).__name__}: {error})."
        ) from error
    if math.isinf(value):
        raise MMQError(f"extra_features: {path} returned {value}; return NaN for what cannot be measured.")
    return value


def normalised_features(front_end: FrontEnd, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Normalise a stream of raw tokens by the C core, causally, extra features too.

    Parameters
    ----------
    front_end : FrontEnd
        With its normalisation.
    features : ndarray, shape (n, F of the measured layout)
        Raw, NaN where a feature could not be measured.
    presence : ndarray, shape (n, M)

    Returns
    -------
    ndarray, shape (n, F)
        float32; absent tokens and those inside the enrolment are 0. Extra features have no look-back; a
        modality's look-backs follow them.

    Raises
    ------
    BridgeError
        When there is no normalisation or a shape is wrong.
    """
    given = front_end.normalisation
    if not front_end.extra_names or given is None:
        return normalise_tokens(front_end, features, presence)
    measured, layout = front_end.measured_layout, front_end.feature_layout
    normalised = np.zeros((len(features), layout.n_features), np.float32)
    extra = np.isin(measured.feature_names, front_end.extra_names)
    known = front_end.without_extra_features().with_normalisation(_columns_of(given, np.flatnonzero(~extra)))
    places = known.feature_layout.places_in(layout)
    normalised[:, places] = normalise_tokens(known, features[:, ~extra], presence)
    counts = np.diff(evidence(front_end.modality_names, presence), prepend=0) > 0
    where = measured.places_in(layout)
    for index, part in enumerate(measured.feature_slices.values()):
        columns = [column for column in range(part.start, part.stop) if extra[column]]
        present = presence[:, index : index + 1]
        for column in columns:
            own = _columns_of(given, np.array([column]))
            normalised[:, where[column]] = _as_if_known(front_end, own, features[:, column], present, counts)
    return normalised


def _as_if_known(
    front_end: FrontEnd, own: Normalisation, values: np.ndarray, present: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Normalise one feature [n] in the place of the first of a skin temperature.

    Beside it a skin conductance is present where the whole front end's enrolment goes on (`counts`, bool
    [n]), so that it ends with it.
    """
    carrier = FrontEnd.wearable(
        {"temp": 4, "eda": 4},
        token_s=front_end.token_s,
        tokens=front_end.tokens,
        frontend_version=front_end.frontend_version,
    )
    features = np.repeat(values[:, None], carrier.n_features, axis=1)
    everywhere = _columns_of(own, np.zeros(carrier.n_features, int)).model_copy(update={"look_back_s": 0.0})
    seen = np.column_stack([present[:, 0], counts])
    return normalise_tokens(carrier.with_normalisation(everywhere), features, seen)[:, 0]


def _columns_of(given: Normalisation, columns: np.ndarray) -> Normalisation:
    """Return the normalisation of some of the features."""
    mean, std = (tuple(np.asarray(values)[columns].tolist()) for values in (given.mean, given.std))
    return given.model_copy(update={"mean": mean, "std": std})
