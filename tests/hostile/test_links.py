# SPDX-License-Identifier: Apache-2.0
"""Links in folders that others made are refused at every depth, before anything is read."""

import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.plain_folder import check_plain

from mmq_tf.api.run_files import run_facts
from mmq_tf.errors import MMQError
from mmq_tf.training.run_folder import RunFacts


@pytest.mark.parametrize("where", ["config.toml", "folds/00/net.keras", "a/b/c/d/e/f"])
def test_a_run_with_a_link_is_refused(tmp_path, where):
    RunFacts("mmq-tf train", "/data").write(tmp_path)
    (tmp_path / "metrics.json").write_text('{"name": "x", "data": {}, "decision": {}, "exported_model": ""}')
    assert RunFacts.read(tmp_path).command == "mmq-tf train"
    assert run_facts(tmp_path, None)["name"] == "x"
    (tmp_path / where).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / where).symlink_to("/etc/passwd")
    for read in (RunFacts.read, lambda folder: run_facts(folder, None)):
        with pytest.raises(MMQError, match=f"{tmp_path / where}: expected a regular file, found a link"):
            read(tmp_path)


def test_a_folder_has_so_many_entries_at_most(tmp_path):
    check_plain(tmp_path / "nothing")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    check_plain(tmp_path, most=4)
    with pytest.raises(BridgeError, match="expected at most 3 files"):
        check_plain(tmp_path, most=3)
