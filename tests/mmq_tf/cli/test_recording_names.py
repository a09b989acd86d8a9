# SPDX-License-Identifier: Apache-2.0
"""`stream`, `play`, `personalise` and `datasets show` take one way to name a recording, and `--repair`."""

import numpy as np
import pytest
import xdf_writer as XDF
from command_line import invoke

from mmq_tf.cli import datasets_show, personalise, play, stream
from mmq_tf.cli._recording import open_named
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording

MANIFEST = (
    'title = "t"\nlicence = "l"\nattribution = "a"\nlabel_kind = "k"\n[[files]]\npath = "{subject}.xdf"\n'
    'format = "xdf"\n[trials]\nsource = "table"\npath = "t.csv"\ntime_unit = "s"\n'
    '[tasks.load]\nclasses = ["rest", "stress"]\n'
)


@pytest.fixture
def study(tmp_path):
    """Two people's wrists of 20 s at 4 Hz, one of them in a file that was cut in its last second."""
    head = XDF.header(1, "Watch", "EDA", 1, 4, described=[{"label": "eda", "type": "EDA", "unit": "uS"}])
    second = [XDF.samples(1, 100 + k + np.arange(4) / 4, np.full((4, 1), 0.5)) for k in range(20)]
    whole = b"XDF:" + XDF.chunk(1, b"<info><version>1.0</version></info>") + head + b"".join(second)
    (tmp_path / "P01.xdf").write_bytes(whole)
    (tmp_path / "P02.xdf").write_bytes(whole[:-5])
    (tmp_path / "t.csv").write_text("subject,start,stop,load\nP01,0,9,rest\nP02,0,9,rest\n")
    (tmp_path / "mmq-tf.toml").write_text(MANIFEST)
    return tmp_path


def test_a_recording_of_a_manifest_is_named_as_for_show_and_repaired_when_asked(study):
    assert open_named(f"{study}:P01").duration_s == 20
    assert open_named(study / "P01.xdf").duration_s == 20
    for name in (f"{study}:P02", str(study / "P02.xdf")):
        with pytest.raises(MMQError, match="--repair"):
            open_named(name)
        assert open_named(name, repair=True).duration_s == 19


def test_a_recording_of_a_data_set_needs_its_folder(tmp_path):
    for name in (f"{tmp_path}:P01", "cogwear:P11/pre"):
        with pytest.raises(MMQError) as caught:
            open_named(name)
        words = (
            "name the folder of the data set 'cogwear' with --data" if "cog" in name else "has no mmq-tf.toml"
        )
        assert words in str(caught.value)
    with pytest.raises(MMQError, match="--repair is for files"):
        open_named("cogwear:P11/pre", tmp_path, repair=True)
    with pytest.raises(MMQError, match="found no subject|no recording of subject"):
        open_named("cogwear:P11/pre", tmp_path)


@pytest.mark.parametrize("command", [stream.command, play.command, personalise.command, datasets_show.show])
def test_every_command_that_reads_a_recording_has_the_same_options(command):
    assert {"data", "repair"} <= {parameter.name for parameter in command.params}


def test_stream_reads_what_is_whole_when_asked(study):
    options = ["--pretrained", "wrist-stress", "--replay", f"{study}:P02"]
    cut = invoke(stream.command, *options)
    assert "--repair" in str(cut.exception)
    repaired = invoke(stream.command, *options, "--repair")
    assert isinstance(repaired.exception, MMQError)
    assert "19" in str(repaired.exception)
    assert "--repair" not in str(repaired.exception)


def test_play_gives_the_options_to_what_reads(study, monkeypatch):
    opened = []

    def player(signals, *others):
        opened.append(signals)
        raise MMQError("seen enough")

    monkeypatch.setattr("mmq_bridge.sources.lsl_player.Player", player)
    assert "--repair" in str(invoke(play.command, f"{study}:P02", "--lsl").exception)
    assert str(invoke(play.command, f"{study}:P02", "--lsl", "--repair").exception) == "seen enough"
    assert [one["eda"].duration_s for one in opened] == [19]
    assert isinstance(open_named(f"{study}:P01"), Recording)
