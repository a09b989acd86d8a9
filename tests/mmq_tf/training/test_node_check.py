# SPDX-License-Identifier: Apache-2.0
"""What a node is asked before it gets a job, and what is said of a cluster that cannot be had."""

import socket
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
from click.testing import CliRunner

from mmq_tf.api.training import cluster_of
from mmq_tf.cli._cluster import cluster_options
from mmq_tf.errors import MMQError
from mmq_tf.training import node_check
from mmq_tf.training.node_check import asked_of_nodes, check_cluster, node_fault


@pytest.fixture
def with_ray(monkeypatch):
    """Ray seems to be installed."""
    module = ModuleType("ray")
    module.__spec__ = ModuleSpec("ray", None)
    monkeypatch.setitem(sys.modules, "ray", module)


@pytest.fixture
def closed_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it, and it refuses
        yield held.getsockname()[1]


def test_a_node_like_the_caller_is_fine_and_nothing_stays_in_the_folder(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    with asked_of_nodes([tmp_path / "run"], [data]) as asked:
        assert len(list((tmp_path / "run").iterdir())) == 1
        assert list(data.iterdir()) == []
        assert node_fault(asked) == ""
    assert list((tmp_path / "run").iterdir()) == []


def test_another_version_is_named_with_both(tmp_path, monkeypatch):
    with asked_of_nodes([tmp_path], []) as asked:
        monkeypatch.setattr(node_check, "installed", lambda: asked["installed"] | {"keras": "1.0"})
        wanted = asked["installed"]["keras"]
        assert node_fault(asked) == f"it has keras 1.0, the caller {wanted}; install the same on all."


def test_another_source_of_the_same_version_is_another(tmp_path):
    with asked_of_nodes([tmp_path], []) as asked:
        asked["installed"] = asked["installed"] | {"mmq-tf": "0.1.0 (source 00000000)"}
        assert "the caller 0.1.0 (source 00000000)" in node_fault(asked)


@pytest.mark.parametrize("content", [None, "another"])
def test_a_folder_of_the_same_name_that_is_not_shared_is_named(tmp_path, monkeypatch, content):
    monkeypatch.setattr(node_check, "SYNC_S", 0.0)
    with asked_of_nodes([tmp_path / "run"], []) as asked:
        (mark,) = (tmp_path / "run").iterdir()
        mark.unlink() if content is None else mark.write_text(content)
        assert node_fault(asked).startswith(f"{tmp_path / 'run'} is not the same folder there;")


def test_read_folders_are_compared_by_their_names(tmp_path):
    with asked_of_nodes([], [tmp_path]) as asked:
        (tmp_path / "S2").mkdir()
        assert node_fault(asked).startswith(f"{tmp_path} holds other files there;")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MMQError, match="could not be written"), asked_of_nodes([tmp_path / "file"], []):
        pass


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MMQError, match=r"pip install 'mmq-tf\[cluster\]'"):
        check_cluster("auto")


@pytest.mark.parametrize(
    ("address", "gpus", "said"),
    [
        ("wesad", 0, "what is no address stands before --cluster"),
        ("ray://head:10001", 0, "run the command on a node of the cluster"),
        ("127.0.0.1:99999", 0, "nothing answers there"),
        ("auto", 1.5, "expected a share up to 1, or a whole number"),
    ],
)
def test_what_cannot_be_is_refused(with_ray, address, gpus, said):
    with pytest.raises(MMQError, match=said):
        check_cluster(address, gpus)


def test_an_address_where_nobody_listens_is_said_at_once(with_ray, closed_port):
    with pytest.raises(MMQError, match=f"127.0.0.1:{closed_port}: nothing answers there"):
        check_cluster(f"127.0.0.1:{closed_port}")


def test_shares_of_a_gpu_need_a_cluster():
    assert cluster_of(None) is None
    with pytest.raises(MMQError, match="give --cluster too"):
        cluster_of(None, 0.25)


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ([], (None, 0.0)),
        (["--cluster"], ("auto", 0.0)),
        (["--cluster", "--gpus-per-job", "0.25"], ("auto", 0.25)),
        (["--cluster", "head:6379"], ("head:6379", 0.0)),
    ],
)
def test_the_address_may_be_left_out(typed, given):
    import click

    found = []

    @click.command()
    @cluster_options
    def command(cluster, gpus_per_job):
        found.append((cluster, gpus_per_job))

    assert CliRunner().invoke(command, typed).exit_code == 0
    assert found == [given]
