# SPDX-License-Identifier: Apache-2.0
"""What is measured of more and more people, and what is said of numbers that were not measured."""

import pytest
import scale


def found(peak: float) -> dict[str, dict[str, float]]:
    return {"epoch": {"peak_bytes": peak}}


def test_growth_is_between_the_two_largest_sizes():
    sizes = {1000: found(900_000 + 4096 * 900), 10: found(5), 100: found(900_000)}
    assert scale.bytes_per_person(sizes) == 4096
    said = " ".join(scale.notes(sizes))
    assert "Between 100 and 1000 people the peak before the first step grows by 4 KiB per person" in said
    assert "More people were not measured; at that rate 10,000 would add 0.04 GiB" in said
    assert "not measured" not in " ".join(scale.notes({10: found(5)}))


@pytest.mark.slow
@pytest.mark.tensorflow
def test_each_stage_is_measured_of_people_who_are_all_there(tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(scale, "STEPS", 1)
    told = {}
    scale.measure_size(3, tmp_path, told.__setitem__)
    assert tuple(told) == (*scale.STAGES, "disk")
    assert all(told[name]["peak_bytes"] > 0 for name in scale.STAGES)
    assert told["disk"]["cache"] > 0
    assert told["disk"]["windows"] > 3
    assert told["disk"]["window_bytes"] % told["disk"]["windows"] == 0
