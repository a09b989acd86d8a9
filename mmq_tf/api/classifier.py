# SPDX-License-Identifier: Apache-2.0
"""MMQ-Net as a scikit-learn estimator: missing sensors are NaN, people are groups."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import keras
import numpy as np
from mmq_bridge.front_end.front_end import FrontEnd
from pydantic import BaseModel, ValidationError
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mmq_tf.api.classifier_bundle import write_classifier
from mmq_tf.api.exporting import MAX_DROP, Bundle
from mmq_tf.config.run_config import SplitConfig, describe_validation
from mmq_tf.config.training_spec import MissingConfig, ModelConfig, TrainingConfig, TrainingSpec
from mmq_tf.errors import MMQError
from mmq_tf.features.array_windows import TASK, array_spec, array_windows, flat, layout_of_columns
from mmq_tf.features.windows import WindowSet
from mmq_tf.metrics.calibration import apply_temperature, choose_min_confidence, fit_temperature
from mmq_tf.training.fit import EAGER_STEPS, fit_network, new_network

logger = logging.getLogger(__name__)
Section = TypeVar("Section", bound=BaseModel)

AT_ONCE = 256
DRAWS = 20
SEEDS = 2**20  # the network multiplies its seed by 1000, and every backend takes 32 bits
_TRAINING, _MODEL, _MISSING, _SPLIT = TrainingConfig(), ModelConfig(), MissingConfig(), SplitConfig()


class MMQClassifier(ClassifierMixin, BaseEstimator):
    """Classify windows of body signals of which any sensor may be missing.

    The same network, losses, augmentation and stopping as `mmq-tf train`, on features that are already there.
    Artefacts are the exception: they are added to raw signals, so none are taught here.

    NaN is ordinary input: a token (one modality in one step) whose features are all NaN is absent, a single
    NaN in a present token becomes the training mean. Features are standardised with what the training rows
    show of them in any step.

    Parameters
    ----------
    modalities : dict of str to int, optional
        Features a token of each modality, in the order of the columns; by default one modality holds all.
    tokens : int, optional
        Steps in a window, T. By default the second axis of a 3-D X, and 1 for a 2-D one.
    size : {"nano", "small", "base"}
        The network's size, see `mmq_tf.model.SIZES`.
    members : int
        Networks that are trained side by side and judge together, see `mmq_tf.model.ensemble.Ensemble`.
    epochs, batch_size, learning_rate, weight_decay : int, int, float, float
        Of the optimiser, AdamW with a cosine decay over all epochs.
    dropout : float
        Share of hidden units dropped in training.
    feature_noise, feature_shift : float
        Standard deviations of what training adds to each standardised token and to each whole window.
    max_rate, complete_share : float
        What training hides, see `mmq_tf.augmentation.missingness.training_keep`.
    teacher_share : float
        How much of the labels comes from forests fitted on *other* groups; without groups none does.
    validation_fraction : float
        Share of the groups, if `fit` is given at least two, that choose the epoch and the temperature; 0
        holds nothing back. Without groups nothing is held back either: rows of one person on both sides would
        choose by memory.
    patience : int
        Epochs without a better score on held-back groups after which training stops.
    front_end : FrontEnd, optional
        The one that made X, for `to_bundle`; see `for_front_end`.
    random_state : int, RandomState or None
        Of the weights, of what training shows, and of the groups held back.
    verbose : int
        Above 0, epochs are logged as information, otherwise for debugging.

    Attributes
    ----------
    classes_ : ndarray ``[K]``
    n_features_in_ : int
        Columns of X, T * F.
    feature_names_in_ : ndarray
        Where X was a data frame.
    net_ : MMQNet or Ensemble
        The trained network.
    scaler_ : StandardScaler
        Of the F features of a token.
    layout_ : FeatureLayout
        T and the modalities.
    temperature_ : float
        What the logits are divided by; 1 where no group was held back.
    training_groups_, validation_groups_ : ndarray
        The groups that trained, and those held back.
    validation_windows_ : WindowSet
        Of the groups held back, standardised.
    history_ : list of dict
        The losses, and the scores on groups held back, of each epoch.
    best_epoch_ : int
        Whose weights were kept, counted from 1.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    >>> y = np.where(X[:, 0] > 0, "stress", "rest")
    >>> X[::3, :2] = np.nan
    >>> model = MMQClassifier(modalities={"eda": 2, "temp": 2}, epochs=8, learning_rate=0.01, random_state=0)
    >>> model.fit(X, y).predict_proba(X).shape
    (60, 2)
    """

    def __init__(
        self,
        *,
        modalities: Mapping[str, int] | None = None,
        tokens: int | None = None,
        size: Literal["nano", "small", "base"] = _MODEL.size,
        members: int = _MODEL.members,
        epochs: int = _TRAINING.epochs,
        batch_size: int = _TRAINING.batch_size,
        learning_rate: float = _TRAINING.learning_rate,
        weight_decay: float = _TRAINING.weight_decay,
        dropout: float = _MODEL.dropout,
        feature_noise: float = _TRAINING.feature_noise,
        feature_shift: float = _TRAINING.feature_shift,
        max_rate: float = _MISSING.max_rate,
        complete_share: float = _MISSING.complete_share,
        teacher_share: float = _TRAINING.teacher_share,
        validation_fraction: float = _SPLIT.validation_share,
        patience: int = _TRAINING.patience,
        front_end: FrontEnd | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.modalities = modalities
        self.tokens = tokens
        self.size = size
        self.members = members
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.feature_noise = feature_noise
        self.feature_shift = feature_shift
        self.max_rate = max_rate
        self.complete_share = complete_share
        self.teacher_share = teacher_share
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.front_end = front_end
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def for_front_end(cls, front_end: FrontEnd, **parameters: Any) -> Self:
        """Return an estimator for windows of this front end, as `mmq_tf.load_windows` gives them."""
        sizes = dict(front_end.feature_layout.feature_sizes)
        return cls(modalities=sizes, tokens=front_end.tokens, front_end=front_end, **parameters)

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Train a fresh network.

        Parameters
        ----------
        X : array ``[N, T * F]`` or ``[N, T, F]``
            The F features of all modalities side by side, step after step; NaN where nothing was measured.
        y : array ``[N]``
            Classes of any kind, at least two different ones.
        groups : array ``[N]``, optional
            Whose window it is; see `validation_fraction` and `teacher_share`.
            `cross_val_score` gives its `groups` to the splitter alone: add ``params={"groups": groups}``, or
            use scikit-learn's metadata routing.

        Raises
        ------
        ValueError
            If shapes do not fit, X holds infinity, there is one class only, or no choice of groups to hold
            back leaves every class on both sides. `MMQError` is one.
        """
        tokens = self._tokens(X)
        X, y = validate_data(self, flat(X, tokens), y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        self.classes_, label = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise MMQError(f"y: expected at least two classes, got only 1 class, {self.classes_[0]!r}.")
        spec = self._spec(tokens, X.shape[1])
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        subject = np.zeros(len(X)) if groups is None else column_or_1d(groups)
        check_consistent_length(X, subject)
        train, held = self._hold_back(label, subject, seed)
        self.layout_ = spec.layout
        with np.errstate(invalid="ignore"):  # a feature never measured has no mean
            self.scaler_ = StandardScaler().fit(X[train].reshape(-1, self.layout_.n_features))
        windows = array_windows(X, self.layout_, self.scaler_, label, subject)
        steps = spec.training.epochs * -(-len(train) // spec.training.batch_size)
        model = new_network(spec, len(self.classes_), seed)
        model.net.run_eagerly = True  # scoring a net anew each fit: tracing it would cost more than it saves
        with _one_token_is_fine():
            history = fit_network(
                model,
                windows.take(train),
                windows.take(held) if len(held) else None,
                spec,
                seed,
                state_path=None,
                on_epoch=self._log,
                run_eagerly=steps <= EAGER_STEPS,
            )
        self.net_ = model.net
        self.history_, self.best_epoch_ = history.epochs, history.best_epoch
        self.training_groups_ = np.unique(subject[train])
        self.validation_groups_ = np.unique(subject[held])
        self.validation_windows_ = windows.take(held)
        self.temperature_ = fit_temperature(self._logits(self.validation_windows_), label[held])
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the calibrated logits ``[N, K]``; of two classes the log odds ``[N]`` of the second."""
        check_is_fitted(self)
        X = validate_data(
            self,
            flat(X, self.layout_.tokens),
            dtype=np.float64,
            ensure_all_finite="allow-nan",
            reset=False,
        )
        nobody = np.zeros(len(X))
        windows = array_windows(X, self.layout_, self.scaler_, nobody, nobody)
        logits = self._logits(windows) / self.temperature_
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the calibrated probabilities ``[N, K]`` in the order of `classes_`."""
        decision = self.decision_function(X)
        if decision.ndim == 1:
            decision = np.stack([np.zeros(len(decision)), decision], axis=1)
        return softmax(decision, axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each window ``[N]``."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def decision_settings(self) -> dict[str, Any]:
        """Return what a device needs to decide as this classifier: classes, temperature, least confidence."""
        check_is_fitted(self)
        held = self.validation_windows_
        likely = apply_temperature(self._logits(held), self.temperature_)
        return {
            "tasks": {TASK: [str(name) for name in self.classes_]},
            "temperature": {TASK: float(self.temperature_)},
            "min_confidence": {TASK: float(choose_min_confidence(likely, held.label))},
        }

    def to_bundle(
        self,
        out: str | Path,
        *,
        front_end: FrontEnd | None = None,
        name: str = "mmq-classifier",
        data: Mapping[str, Any] | None = None,
        golden: str | Path | None = None,
        max_drop: float = MAX_DROP,
        slim: bool = False,
    ) -> Bundle:
        """Write the folder to embed: int8 models, C sources, golden vectors, card; see `mmq_tf.export`.

        A device standardises as `fit` did, but does not clip what is standardised a second time.

        Parameters
        ----------
        out : str or Path
            Folder to make. A bundle there is replaced, anything else refused.
        front_end : FrontEnd, optional
            The normalised one that made X; by default the classifier's own (see `for_front_end`).
        name : str
            Of the model.
        data : mapping, optional
            Name, title, licence, attribution, simulated and label_kind of what it learned from, such as
            `LoadedWindows.data`; what is not given is "not stated" on the card.
        golden : str or Path, optional
            Recording for the golden vectors; by default a SIMULATED one.
        max_drop : float
            Points of macro-F1 that int8 may lose on the groups held back.
        slim : bool
            Leave the C sources out.

        Returns
        -------
        Bundle

        Raises
        ------
        MMQError
            If the front end is not the one of X, or no group was held back.
        ExportError
            If int8 loses too much, or `out` holds something else than a bundle.
        """
        check_is_fitted(self)
        source = front_end or self.front_end
        if source is None:
            raise MMQError("to_bundle: which front end made X is not known; give it as front_end.")
        manifest = write_classifier(
            self,
            source,
            Path(out),
            name=name,
            data=data,
            golden=golden,
            max_drop=max_drop,
            slim=slim,
        )
        return Bundle(Path(out), manifest)

    def __sklearn_tags__(self) -> Tags:
        """Say that NaN is input, and so is a 3-D X."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        return tags

    def _tokens(self, X: Any) -> int:
        """Return T, as given or as X shows it."""
        if self.tokens is None:
            return X.shape[1] if getattr(X, "ndim", 2) == 3 else 1
        if not isinstance(self.tokens, Integral) or self.tokens < 1:
            raise MMQError(f"tokens: expected a whole number of at least 1, got {self.tokens!r}.")
        return int(self.tokens)

    def _spec(self, tokens: int, columns: int) -> TrainingSpec:
        if not 0 <= self.validation_fraction < 1:
            raise MMQError(
                f"validation_fraction: expected at least 0 and below 1, got {self.validation_fraction!r}."
            )
        layout = layout_of_columns(columns, tokens, self.modalities)
        try:
            return array_spec(
                layout,
                self._section(ModelConfig),
                self._section(MissingConfig),
                self._section(TrainingConfig),
            )
        except ValidationError as error:
            raise MMQError(f"MMQClassifier: {describe_validation(error)}") from error

    def _section(self, section: type[Section]) -> Section:
        """Return a section of the configuration with those of its values that are parameters here."""
        given = self.get_params(deep=False)
        return section(**{name: given[name] for name in section.model_fields if name in given})

    def _hold_back(self, label: np.ndarray, subject: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that train and the rows that choose; the two share no group."""
        every = np.arange(len(label))
        if len(np.unique(subject)) < 2 or self.validation_fraction == 0:
            return every, every[:0]
        splits = GroupShuffleSplit(DRAWS, test_size=self.validation_fraction, random_state=seed)
        for train, held in splits.split(every, groups=subject):
            if len(np.unique(label[train])) == len(np.unique(label[held])) == len(self.classes_):
                return train, held
        raise MMQError(
            f"groups: of {DRAWS} choices of groups to hold back none left every class on both sides; set "
            "validation_fraction=0, or give more groups."
        )

    def _logits(self, windows: WindowSet) -> np.ndarray:
        """Return the logits float64 ``[N, K]``.

        Always as many windows at once, so that none depends, in its last bit, on what stands beside it.
        """
        short = ((0, -len(windows) % AT_ONCE), (0, 0), (0, 0))
        inputs = {
            "features": np.pad(windows.features, short),
            "presence": np.pad(windows.presence.astype(np.float32), short),
        }
        logits: list[Any] = [np.empty((0, len(self.classes_)))]  # validation windows may be none
        with _one_token_is_fine():
            for start in range(0, len(windows), AT_ONCE):
                part = {name: values[start : start + AT_ONCE] for name, values in inputs.items()}
                logits.append(keras.ops.convert_to_numpy(self.net_(part)[TASK]))
        return np.concatenate(logits)[: len(windows)]

    def _log(self, epoch: int, metrics: dict[str, float]) -> None:
        values = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        logger.log(logging.INFO if self.verbose else logging.DEBUG, "epoch %d: %s", epoch, values)


@contextmanager
def _one_token_is_fine() -> Iterator[None]:
    """Keep Keras from warning that attention over a single token (T = M = 1) always gives it weight 1."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are using a softmax over axis")
        yield
