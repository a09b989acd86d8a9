# SPDX-License-Identifier: Apache-2.0
"""The page of a recording, read back: all that must be there, a gap that is a gap, nothing half written."""

import base64
import html
import io
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from mmq_bridge.core_binding.quality_flags import Reason
from mmq_bridge.front_end.front_end import FrontEnd
from PIL import Image

from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal, Trial
from mmq_tf.reports.figures import ACCENT
from mmq_tf.reports.recording_page.figures import overview_figure
from mmq_tf.reports.recording_page.numbers import (
    absences,
    percent,
    sensor_numbers,
    stretches,
    trial_presence,
)
from mmq_tf.reports.recording_page.page import MEANINGS, render_page, summary, title, write_page
from mmq_tf.reports.recording_page.presence_rows import (
    ABSENT,
    BEYOND,
    LOST,
    PRESENT,
    REASON_GROUPS,
    reason_colour,
)
from mmq_tf.reports.recording_page.time_rows import DPI, WIDTH_IN, as_png
from mmq_tf.reports.recording_page.view import default_front_end, look_at

pytestmark = pytest.mark.slow

NAMES = ("Fp1", "Fp2", "C3", "C4", "O1", "O2")


def recording(**changes):
    """Two minutes: PPG lost from 40 to 60 s and noise from 80 to 90 s, EDA of an open circuit from 100 s."""
    rng = np.random.default_rng(0)
    time = np.arange(0, 120, 1 / 64)
    ppg = 100 * np.sin(2 * np.pi * 1.2 * time)
    ppg[(time >= 80) & (time < 90)] = 300 * rng.normal(size=640)
    ppg[(time >= 40) & (time < 60)] = np.nan
    eda = 2 + 0.1 * np.sin(np.arange(480) / 50)
    eda[400:] = 0.0
    eeg = 20 * rng.normal(size=(6, 128 * 120))
    signals = {
        "eeg": Signal("eeg", eeg.astype(np.float32), 128.0, "uV", NAMES),
        "ppg": Signal("ppg", ppg[None].astype(np.float32), 64.0, "a.u.", ("bvp",)),
        "eda": Signal("eda", eda[None].astype(np.float32), 4.0, "uS", ("eda",)),
    }
    trials = (
        Trial(0, 60, {"stress": "rest", "valence": "high"}, {"valence": 7.25}, "clip 4"),
        Trial(60, 120, {"stress": "<task>", "valence": "low"}, {"valence": 2.5}),
    )
    made = Recording("S<1>", "evening", signals, trials, "made up", simulated=True, digest="ab" * 32)
    return replace(made, **changes)


@pytest.fixture(scope="module")
def view():
    return look_at(recording())


@pytest.fixture(scope="module")
def page(view):
    return render_page(view)


def pictures(page):
    found = re.findall(r'<img src="data:image/png;base64,([A-Za-z0-9+/=]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB") for content in found]


# ---- numbers


def test_numbers_of_a_sensor(view):
    numbers = sensor_numbers(view, "ppg")
    assert numbers.lost == pytest.approx(20 / 120)
    assert numbers.low == pytest.approx(-100, abs=40)
    assert numbers.greatest > 600
    assert numbers.present == pytest.approx(18 / 24, abs=1.5 / 24)
    assert numbers.reasons["lost"] == pytest.approx(4 / 24, abs=1 / 24)
    assert sensor_numbers(view, "eda").reasons == {"range": pytest.approx(4 / 24)}


def test_numbers_of_a_stretch_are_those_of_the_stretch(view):
    part = replace(view, from_s=40.0, to_s=60.0)
    numbers = sensor_numbers(part, "ppg")
    assert (numbers.lost, numbers.present) == (1.0, 0.0)
    assert np.isnan(numbers.greatest)
    assert len(part.presence_of("ppg")[0]) == 4


def test_absences_are_runs_of_tokens_the_longest_first(view):
    found = absences(view)
    assert (found[0].modality, found[0].stop_s) == ("ppg", 60) or found[0].modality == "eda"
    gap = next(a for a in found if a.modality == "ppg" and "lost" in a.reasons)
    assert (gap.start_s, gap.stop_s) == (40, 60)
    lengths = [a.stop_s - a.start_s for a in found]
    assert lengths == sorted(lengths, reverse=True)


def test_presence_in_a_trial(view):
    rest, task = view.recording.trials
    assert trial_presence(view, rest, "ppg") == pytest.approx(8 / 12, abs=1 / 12)
    assert trial_presence(view, rest, "eda") == 1
    assert trial_presence(view, task, "eda") == pytest.approx(8 / 12, abs=1 / 12)
    assert np.isnan(trial_presence(view, Trial(1, 4, {}), "eda"))


def test_the_stretches_to_see_are_a_good_one_and_the_worst_that_holds_samples(view):
    chosen = stretches(view, "ppg")
    (good, good_stop), (bad, bad_stop) = chosen["most tokens present"], chosen["fewest tokens present"]
    assert good_stop - good == bad_stop - bad == 30
    assert not (good < 60 and good_stop > 40)
    assert bad < 90
    assert bad_stop > 80
    assert set(stretches(view, "eeg")) == {"typical", "greatest range"}
    assert stretches(replace(view, to_s=50.0), "ppg") == {}


@pytest.mark.parametrize(("from_s", "to_s"), [(5, 5), (-1, 4), (0, 121), (60, 50), (float("nan"), 3)])
def test_a_stretch_outside_is_refused(from_s, to_s):
    with pytest.raises(MMQError, match="--from and --to must lie in 0 to 120 s"):
        look_at(recording(), None, from_s, to_s)


# ---- front ends


def test_the_default_front_end_says_what_it_cannot_read():
    odd = Signal("acc", np.zeros((2, 100), np.float32), 32.0, "g", ("x", "y"))
    given = recording(signals={"eda": recording().signals["eda"], "acc": odd})
    front_end, notes = default_front_end(given)
    assert front_end is not None
    assert front_end.modality_names == ("eda",)
    assert len(notes) == 1
    assert notes[0].startswith("acc is not judged by the default front end")
    page = render_page(look_at(given))
    assert "acc is not judged" in page


def test_a_recording_that_cannot_be_judged_at_all_is_still_drawn(tmp_path):
    odd = Signal("acc", np.zeros((2, 100), np.float32), 32.0, "g", ("x", "y"))
    view = look_at(Recording("S1", "1", {"acc": odd}))
    assert view.judged == ()
    assert "acc not judged" in summary(view)
    write_page(view, tmp_path / "page.png")
    assert "0:03" in render_page(view)


def test_another_unit_and_another_sensor_are_said(view):
    counts = replace(recording().signals["eda"], unit="counts")
    front_end = FrontEnd.wearable({"eda": 4, "temp": 4})
    notes = look_at(recording(signals={"eda": counts}), front_end).notes
    assert any("eda is in counts, but the front end's limits are in µS" in note for note in notes)
    assert any("reads temp, which this recording does not have" in note for note in notes)


# ---- the HTML page


def test_the_page_refers_to_nothing_outside_itself(page):
    assert not re.findall(r"https?://|//[a-z]+\.", page)
    assert not re.findall(r"<(link|iframe|object|a)\b", page)
    assert "url(" not in page
    assert page.rstrip().endswith("</html>")


def test_the_page_is_well_formed(page):
    opened = []

    class Outline(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "img", "br"):
                opened.append(tag)
            if tag == "img":
                assert dict(attrs)["alt"]

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Outline().feed(page)
    assert opened == []


def test_every_sensor_reason_and_label_is_on_the_page(page, view):
    for text in ("eeg", "ppg", "eda", *NAMES, "64 Hz", "a.u.", "µS", "&lt;task&gt;", "rest", "high", "7.25",
                 "clip 4", "evening", "made up", "ab" * 32, "S&lt;1&gt;", "2:00"):  # fmt: skip
        assert text in page, text
    assert "<task>" not in page
    assert view.front_end.digest() in page
    given = {name for m in view.judged for name in sensor_numbers(view, m).reasons}
    assert {"lost", "irregular"} <= given
    for name in given:
        assert f'<th scope="row">{name}</th>' in page
        assert MEANINGS[name] in html.unescape(page)


def test_the_numbers_on_the_page_are_those_measured(page, view):
    numbers = sensor_numbers(view, "ppg")
    row = re.search(r'<th scope="row">ppg</th>(.*?)</tr>', page)
    assert row is not None
    cells = re.findall(r"<td>(.*?)</td>", row[1])
    assert cells[:3] == ["1", "64 Hz", "a.u."]
    assert cells[5] == percent(numbers.lost)
    assert cells[9] == f"{numbers.greatest:.4g}"
    assert cells[10] == percent(numbers.present or 0.0)


def test_simulated_is_said_first(page, view):
    assert title(view).startswith("SIMULATED")
    assert '<div class="banner"><strong>SIMULATED</strong>' in page
    eda = {"eda": recording().signals["eda"]}
    assert "SIMULATED" not in render_page(look_at(recording(signals=eda, simulated=False)))


def test_the_page_has_the_whole_and_a_view_of_each_sensor(page):
    found = pictures(page)
    assert len(found) == 1 + 3
    assert all(picture.width == WIDTH_IN * DPI for picture in found)
    assert found[0].height > 1000


def test_the_same_recording_gives_the_same_bytes():
    eda = {"eda": recording().signals["eda"]}
    first, second = (render_page(look_at(recording(signals=eda))) for _ in range(2))
    assert first == second


def test_every_reason_has_a_meaning_and_a_colour():
    names = [str(reason.name).lower() for reason in Reason]
    assert list(MEANINGS) == names
    assert sorted(n for _, members in REASON_GROUPS.values() for n in members) == sorted(names)


# ---- pictures


def near(pixels, colour, tolerance=40):
    return (np.abs(pixels.astype(int) - 255 * np.array(to_rgb(colour))).max(axis=-1)) < tolerance


@pytest.fixture(scope="module")
def drawn(view):
    """The figure of all of it, and its pixels as they are written."""
    figure = overview_figure(view)
    return figure, np.asarray(Image.open(io.BytesIO(as_png(figure))).convert("RGB"))


def test_the_picture_keeps_the_colours_of_the_legend(drawn):
    for colour in (PRESENT, ABSENT, LOST, BEYOND, ACCENT, reason_colour("irregular")):
        assert near(drawn[1], colour, 6).sum() > 100, colour


def part(pixels, axes, from_s, to_s):
    """Pixels of some axes between two times."""
    box = axes.get_window_extent()
    left, right = axes.transData.transform([(from_s, 0), (to_s, 0)])[:, 0]
    rows = slice(round(pixels.shape[0] - box.y1) + 2, round(pixels.shape[0] - box.y0) - 2)
    return pixels[rows, round(left) + 4 : round(right) - 4]


def test_a_gap_is_drawn_as_a_gap(drawn):
    figure, pixels = drawn
    axes = next(a for a in figure.axes if a.get_ylabel() == "a.u.")
    before, gap, after = (part(pixels, axes, *span) for span in ((5, 40), (40, 60), (60, 80)))
    assert near(before, ACCENT).any(axis=0).all()
    assert near(after, ACCENT).any(axis=0).all()
    assert not near(gap, ACCENT).any()
    assert near(gap, LOST, 12).mean() > 0.9
    assert not near(before, LOST, 12).any()


def test_strips_show_presence_and_each_reason_in_its_colour(drawn):
    figure, pixels = drawn
    strips = [a for a in figure.axes if "present" in [t.get_text() for t in a.get_yticklabels()]]
    assert len(strips) == 3
    names = [text.get_text() for text in strips[1].get_yticklabels()]
    assert names[:2] == ["present", "lost"]
    gap, whole = part(pixels, strips[1], 40, 60), part(pixels, strips[1], 10, 35)
    assert not near(gap, PRESENT, 12).any()
    assert near(gap, reason_colour("lost"), 12).mean() > 0.5 / len(names)
    assert near(whole, PRESENT, 12).mean() > 0.5 / len(names)
    assert not near(whole, reason_colour("lost"), 12).any()


def test_the_picture_says_everything_and_no_text_lies_on_another(view):
    figure = overview_figure(view, title(view), ["a line"], ["ratings of trial 0: valence 7.25"])
    as_png(figure)  # places the text
    boxes = {}
    for axes in figure.axes:
        legend = axes.get_legend()
        texts = [*axes.texts, *(legend.get_texts() if legend else [])]
        if axes.axison:
            low, high = sorted(axes.get_ylim())
            ticks = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
            texts += [axes.yaxis.label, *(text for tick, text in ticks if low <= tick <= high)]
        boxes |= {(id(t), t.get_text()): t.get_window_extent() for t in texts if t.get_text()}
    said = {text for _, text in boxes}
    for text in (title(view), "rest", "<task>", "high", "low", "stress", "valence", "µS", "a.u.", *NAMES,
                 "0:00", "2:00", "min:s", "lost", "irregular", "stress: rest", "a line"):  # fmt: skip
        assert text in said, text
    right = WIDTH_IN * DPI
    for ((_, text), box), ((_, other), its) in itertools.combinations(boxes.items(), 2):
        over_x = min(box.x1, its.x1) - max(box.x0, its.x0)
        over_y = min(box.y1, its.y1) - max(box.y0, its.y0)
        assert over_x <= 1 or over_y <= 4, (text, other)
    assert all(box.x0 >= 0 and box.x1 <= right for box in boxes.values())


@pytest.mark.parametrize("channels", [1, 4, 5, 64])
def test_any_number_of_channels_makes_a_picture_of_bearable_height(channels, tmp_path):
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(channels, 1280)).astype(np.float32)
    samples[-1] = np.nan
    names = tuple(f"a rather long name {k}" for k in range(channels))
    view = look_at(Recording("S1", "1", {"eeg": Signal("eeg", samples, 128.0, "uV", names)}))
    write_page(view, tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.width == WIDTH_IN * DPI
        assert 200 < picture.height < 10 * DPI


def test_names_that_matplotlib_could_take_for_formulas_or_lacks_letters_for_are_drawn(tmp_path):
    signal = Signal("eda", np.ones((1, 480), np.float32), 4.0, "uS", ("$a_{$ 皮膚",))
    trials = (Trial(0, 100, {"情緒": "$x^"}),)
    write_page(look_at(Recording("$\\alpha", "1", {"eda": signal}, trials)), tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 1000


# ---- writing


def test_both_kinds_are_written_whole(view, tmp_path):
    small = look_at(recording(signals={"eda": view.recording.signals["eda"]}))
    write_page(small, tmp_path / "a" / "page.html")
    write_page(small, tmp_path / "a" / "page.png")
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["page.html", "page.png"]
    with Image.open(tmp_path / "a" / "page.png") as picture:
        assert picture.format == "PNG"
        assert picture.width == WIDTH_IN * DPI


@pytest.mark.parametrize("name", ["page.pdf", "page", "page.html.gz"])
def test_another_ending_is_refused(view, tmp_path, name):
    with pytest.raises(MMQError, match="must end in .html or .png"):
        write_page(view, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_leaves_nothing(view, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MMQError, match="could not be written"):
        write_page(replace(view, to_s=20.0), tmp_path / "file" / "page.png")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(MMQError, match="this is a folder"):
        write_page(view, tmp_path / "folder.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.html"]
