# SPDX-License-Identifier: Apache-2.0
"""A bundle without code, and the code it gets later."""

import json
import shutil

import pytest
from mmq_bridge.bundle.golden import GoldenOrigin
from mmq_bridge.bundle.sources import is_code
from mmq_bridge.bundle.verify import verify_bundle
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.errors import BridgeError
from mmq_export.add_sources import complete_bundle
from mmq_export.errors import ExportError

pytestmark = pytest.mark.tensorflow  # the tiny bundles are made with it


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def slim(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("slim") / "tiny"
    tiny.write(folder, code=False, golden_origin=GoldenOrigin("wrist | e4", False))
    return folder


def test_a_slim_bundle_holds_no_code_and_verifies(slim):
    assert not {"mmq_bridge", "android", "ios"} & {path.name for path in slim.iterdir()}
    assert "mmq_bridge" not in (slim / "README.md").read_text()
    report = verify_bundle(slim)
    assert report.problems == []
    code = [check for check in report.checks if check.name.startswith("C source")]
    assert [(check.name, check.state) for check in code] == [("C source: all", "skipped")]


def test_the_golden_vectors_say_whose_samples_they_are(slim, tiny_bundle):
    index = json.loads((slim / "golden/golden.json").read_text())
    assert (index["data"], index["simulated"]) == ("wrist | e4", False)
    assert (
        "come from a recording of wrist \\| e4 and stay under its licence"
        in (slim / "MODEL_CARD.md").read_text()
    )
    assert json.loads((tiny_bundle / "golden/golden.json").read_text())["simulated"]
    assert "`golden/` are SIMULATED: no person was measured" in (tiny_bundle / "MODEL_CARD.md").read_text()


def test_the_completed_bundle_is_the_one_export_writes_at_once(tiny_bundle, tmp_path):
    shutil.copytree(tiny_bundle, tmp_path / "stripped")
    for name in ("mmq_bridge", "android", "ios"):
        shutil.rmtree(tmp_path / "stripped" / name)
    manifest = Manifest.load(tiny_bundle)
    kept = {name: entry for name, entry in manifest.files.items() if not is_code(name)}
    stripped = manifest.model_copy(
        update={"files": kept, "versions": {**manifest.versions, "mmq-tf": "0.0.0"}}
    )
    (tmp_path / "stripped/manifest.json").write_text(stripped.to_json())
    complete_bundle(tmp_path / "stripped", tmp_path / "whole")
    assert content(tmp_path / "whole") == content(tiny_bundle)


def test_nothing_is_written_over_the_bundle_itself_or_from_a_broken_one(slim, tmp_path):
    with pytest.raises(ExportError, match="this is the bundle itself"):
        complete_bundle(slim, slim)
    shutil.copytree(slim, tmp_path / "broken")
    (tmp_path / "broken/stray.txt").write_text("?")
    with pytest.raises(BridgeError, match=r"stray\.txt: the manifest does not name this file"):
        complete_bundle(tmp_path / "broken", tmp_path / "out")
    assert not (tmp_path / "out").exists()
