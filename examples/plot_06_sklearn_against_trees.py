# SPDX-License-Identifier: Apache-2.0
"""
In scikit-learn, beside trees
=============================

``MMQClassifier`` is the same network as an estimator. NaN means *not measured*, and people are groups. A
forest on the same rows is the honest comparison: where people are few and every sensor is there, it
often wins. The people here are SIMULATED.
"""

# %%
# Rows
# ----
# One row is a window. ``people`` keeps the same person out of training and test at once.
import tempfile
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

import mmq_tf
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings

cohort = write_cohort(Path(tempfile.mkdtemp()) / "cohort", 6, Settings(minutes=9, modalities=("eda", "temp")))
settings = ["front_end.modalities={eda={sampling_rate_hz=4}, temp={sampling_rate_hz=4}}"]
subjects = [f"sim-{number:02d}" for number in range(1, 7)]

# %%
# Judge both on people they never saw
# -----------------------------------
# The normalisation is fitted on the training people of each split (``fit_on``), never on those who are
# judged.
found = {"MMQClassifier": [], "forest": []}
for train, _ in GroupKFold(2).split(subjects, groups=subjects):
    known = [subjects[number] for number in train]
    windows = mmq_tf.load_windows("simulated", cohort, overrides=settings, fit_on=known)
    X, y, people = windows.to_sklearn()
    ours = np.isin(people, known)
    settings_of_fit = {"epochs": 8, "size": "nano", "learning_rate": 0.003, "random_state": 0}
    network = mmq_tf.MMQClassifier.for_front_end(windows.front_end, **settings_of_fit)
    network.fit(X[ours], y[ours], people[ours])
    trees = RandomForestClassifier(100, random_state=0)
    forest = make_pipeline(SimpleImputer(keep_empty_features=True), trees)
    forest.fit(X[ours], y[ours])
    for name, model in (("MMQClassifier", network), ("forest", forest)):
        found[name].append(roc_auc_score(y[~ours] == "stress", model.predict_proba(X[~ours])[:, 1]))

# %%
for name, scores in found.items():
    print(f"{name:14} AUROC {np.mean(scores):.2f} (SIMULATED people)")
