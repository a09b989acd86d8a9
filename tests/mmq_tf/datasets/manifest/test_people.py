# SPDX-License-Identifier: Apache-2.0
"""Names that are not people's, and people who may be on both sides of a split."""

import pytest

from mmq_tf.datasets.manifest.people import doubts, same_files

CLASSES = ("calm-down", "stress")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["P01", "P02"], ["each of the 2 recordings counts as another person"]),
        (["P01/1", "P01/2", "P02/1"], []),
        (["P01"], []),
        (["20240501/a", "20240501/b"], ["look like dates (20240501)"]),
        (["2024-05-01T0930/a", "2024-05-02T1015/a", "2024-05-02T1015/b"], ["look like dates"]),
        (["A00204/1", "A00204/2", "A00311/1"], ["look like serial numbers (A00204, A00311)"]),
        (["rest/P01", "rest/P02", "stroop/P01"], ["look like conditions (rest, stroop)"]),
        (["calm-down/P01", "calm-down/P02"], ["calm-down have the names of classes"]),
        (["P01_1/a", "P01_2/a", "P02_1/a", "P02_1/b"], ["P01_1, P01_2 share 'P01'"]),
        (["sub_1/a", "sub_2/a", "sub_2/b"], []),
    ],
)  # fmt: skip
def test_doubts(names, words):
    said = doubts(names, CLASSES)
    assert len(said) == len(words)
    for one, word in zip(said, words, strict=True):
        assert word in one


def test_the_same_bytes_under_two_names(tmp_path):
    for name, content in (("a", b"1"), ("b", b"2"), ("c", b"1"), ("both", b"1")):
        (tmp_path / name).write_bytes(content)
    files = {who: [tmp_path / name, tmp_path / "both"] for who, name in (("P1/x", "a"), ("P2/x", "b"))}
    assert same_files(files) == []
    (said,) = same_files({**files, "P3/x": [tmp_path / "c"]})
    assert said.startswith("a of the subjects P1, P3 is the same file")
    assert same_files({"P1/x": [tmp_path / "a"], "P1/y": [tmp_path / "c"]}) == []
