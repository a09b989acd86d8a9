# SPDX-License-Identifier: Apache-2.0
"""A session named `enrolment_session` sets a person's baseline in training as in decisions."""

import numpy as np

from mmq_tf.api.windows import load_windows

MANIFEST = (
    'title = "t"\nlicence = "l"\nattribution = "a"\nlabel_kind = "k"\nenrolment_session = "day0"\n'
    '[[files]]\npath = "{subject}_{session}.csv"\nformat = "csv"\nsampling_rate_hz = 4\nlabels = ["kind"]\n'
    'signals.eda = { columns = ["eda"], unit = "uS" }\n[trials]\nsource = "column"\n'
    '[tasks.kind]\nclasses = ["rest", "stress"]\n'
)
CONFIG = (
    'name = "x"\n[data]\ndataset = "manifest"\ntask = "kind"\nclasses = ["rest", "stress"]\n[front_end]\n'
    "frontend_version = 3\ntoken_s = 5.0\ntokens = 4\nmodalities.eda.sampling_rate_hz = 4\n[windows]\n"
    'stride_s = 5.0\n[normalisation]\nmode = "enrolment"\nenrolment_s = 60\nprior_tokens = 1\n'
)
BEFORE = {"P1": 2.0, "P2": 2.0, "P3": 8.0, "P4": 8.0}


def test_windows_are_of_the_other_session_against_the_baseline_of_enrolment(tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "study"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for person, before in BEFORE.items():
        for session, level, labels in (("day0", before, ["as you like"]), ("day1", 5.0, ["rest", "stress"])):
            eda = level + np.cumsum(rng.normal(0, 0.01, 480))
            rows = [f"{value:.4f},{labels[k * len(labels) // 480]}" for k, value in enumerate(eda)]
            (folder / f"{person}_{session}.csv").write_text("\n".join(["eda,kind", *rows]) + "\n")
    (folder / "mmq-tf.toml").write_text(MANIFEST)
    (tmp_path / "x.toml").write_text(CONFIG)
    loaded = load_windows(tmp_path / "x.toml", folder)
    found = loaded.windows
    assert set(found.session) == {"day1"}
    assert found.start_s.min() == 180  # 120 s of enrolment, and the next minute that is a minute later
    assert sorted(set(found.label)) == [0, 1]
    tonic = loaded.front_end.feature_names.index("eda.tonic")
    for person, before in BEFORE.items():
        sign = np.sign(found.features[found.subject == person][..., tonic].mean())
        assert sign == np.sign(5.0 - before)
