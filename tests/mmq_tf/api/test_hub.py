# SPDX-License-Identifier: Apache-2.0
"""Bundles on a model hub, which is a folder here."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from made_table import made_table
from mmq_bridge.errors import BridgeError

from mmq_tf import pretrained
from mmq_tf.api.exporting import Bundle
from mmq_tf.api.hub import checked, pull
from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import ResultRow, write_results

SHIPPED = pretrained.path("wrist-stress")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub of folders, behind the calls of huggingface_hub that are used."""
    home = tmp_path / "hub"

    class HfApi:
        def create_repo(self, repo_id, *, private, exist_ok):
            assert exist_ok
            (home / repo_id).mkdir(parents=True, exist_ok=True)
            return f"hub/{repo_id}"

        def upload_folder(self, *, repo_id, folder_path, commit_message, delete_patterns):
            assert commit_message.startswith("wrist-stress")
            assert delete_patterns == "bundle/**"
            shutil.rmtree(home / repo_id / "bundle", ignore_errors=True)
            shutil.copytree(folder_path, home / repo_id, dirs_exist_ok=True)

    def snapshot_download(repo_id, *, revision, local_dir, allow_patterns):
        assert allow_patterns == ["bundle/**"]
        if not (home / repo_id).is_dir():
            raise RuntimeError(f"404: no {repo_id}\nand more")
        if (home / repo_id / "bundle").is_dir():
            shutil.copytree(home / repo_id / "bundle", Path(local_dir) / "bundle")

    fake = SimpleNamespace(HfApi=HfApi, snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    return home


def shipped():
    """The bundle that comes with the package."""
    return Bundle(SHIPPED, checked(SHIPPED)[0])


def front_matter(text):
    """The YAML of a card as plain values: every scalar of ours is JSON."""
    assert text.startswith("---\n")
    return text.split("---\n")[1]


def test_what_is_pushed_is_pulled_whole(hub, tmp_path):
    pushed = shipped()
    assert pushed.push_to_hub("me/watch") == "hub/me/watch"
    for folder in (None, tmp_path / "mine"):
        pulled = Bundle.from_hub("me/watch", folder=folder)
        assert pulled.manifest == pushed.manifest
        assert pulled.load().front_end.modality_names == ("ppg", "eda", "temp", "acc")
        assert {path.name for path in pulled.folder.iterdir()} == {path.name for path in SHIPPED.iterdir()}
    assert Bundle.from_hub("me/watch").folder == tmp_path / "cache" / "hub" / "me--watch"


def test_the_card_says_what_hub_and_people_ask(hub, tmp_path):
    row = ResultRow(method="mmqnet", condition="full", metric="auroc", mean=0.84129, n=49)
    write_results(tmp_path / "results.json", made_table([row], data="Two sets, 49 subjects"))
    shipped().push_to_hub("me/watch", results=[tmp_path / "results.json"], demographics="Adults, 18 to 40.")
    card = (hub / "me/watch/README.md").read_text("utf-8")
    yaml = front_matter(card)
    for line in (
        'license: "apache-2.0"',
        'library_name: "mmq-tf"',
        '  - "ppg"',
        "model-index:",
        '  - name: "wrist-stress"',
        '          name: "Two sets, 49 subjects; s"',
        '            name: "AUROC, mean over 49 people"',
        "            value: 0.8413",
    ):
        assert line in yaml.splitlines(), line
    assert all(json.loads(line.partition(": ")[2]) for line in yaml.splitlines() if ": " in line)
    for words in ("Intended use", "Trained on 49 people", "Adults, 18 to 40.", 'Bundle.from_hub("me/watch")'):
        assert words in card
    assert "not recorded" not in card


def test_the_yaml_is_read_by_a_yaml_reader(hub):
    yaml = pytest.importorskip("yaml")
    shipped().push_to_hub("me/watch")
    found = yaml.safe_load(front_matter((hub / "me/watch/README.md").read_text("utf-8")))
    assert found["model-index"][0]["results"][0]["metrics"][0]["type"] == "f1"
    assert found["metrics"] == ["roc_auc", "f1", "accuracy"]


def test_what_was_changed_on_the_way_is_refused(hub, tmp_path):
    shipped().push_to_hub("me/watch")
    changed = hub / "me/watch/bundle/frontend.json"
    changed.write_text(changed.read_text("utf-8").replace("64", "65", 1), "utf-8")
    with pytest.raises(BridgeError, match="was changed"):
        pull("me/watch", folder=tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
    shipped().push_to_hub("me/watch")
    (hub / "me/watch/bundle/more.txt").write_text("x")
    with pytest.raises(BridgeError, match="does not name this file"):
        pull("me/watch")


def test_what_cannot_be_is_said_in_a_sentence(hub, tmp_path, monkeypatch):
    with pytest.raises(MMQError, match=r"nobody/none: cannot be pulled \(404: no nobody/none\)\."):
        pull("nobody/none")
    (hub / "me/other").mkdir(parents=True)
    with pytest.raises(MMQError, match="no folder bundle/"):
        pull("me/other")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(MMQError, match="found other files"):
        pull("me/watch", folder=tmp_path / "mine")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MMQError, match=r"pip install mmq-tf\[hub\]"):
        shipped().push_to_hub("me/watch")


def test_the_client_has_the_calls_that_are_used():
    client = pytest.importorskip("huggingface_hub")
    import inspect

    for call, names in (
        (client.HfApi.create_repo, {"private", "exist_ok"}),
        (client.HfApi.upload_folder, {"repo_id", "folder_path", "commit_message", "delete_patterns"}),
        (client.snapshot_download, {"revision", "local_dir", "allow_patterns"}),
    ):
        assert names <= set(inspect.signature(call).parameters)
