# SPDX-License-Identifier: Apache-2.0
"""Writers of files that are small on disk and huge once opened, and what opening each one took.

As a program, ``python memory_bombs.py FOLDER NAME...`` opens each in this process and prints, a line each in
JSON, the file's bytes, the peak of memory, how much that grew, and what was said.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mmq_tf.errors import MMQError

FREE_BYTES = 512 * 2**20
DATA_BUFFER, DATA_SKIP, INT32, FLOAT32 = 300, 301, 3, 4
"""Kinds and types of FIF's tags."""
GRID_MANIFEST = """
title = "t"
licence = "l"
attribution = "a"
label_kind = "k"
[[files]]
path = "{subject}.csv"
format = "csv"
sampling_rate_hz = 1000
time = { column = "time", unit = "s" }
labels = ["label"]
signals.eeg = { columns = [COLUMNS], unit = "uV" }
[trials]
source = "column"
[tasks.stress]
column = "label"
classes = ["rest", "stress"]
values = { "1" = "rest", "2" = "stress" }
"""


def npz(folder: Path) -> Path:
    """Write bool values, eight times as large as numbers."""
    path = folder / "bomb.npz"
    np.savez_compressed(path, a=np.zeros(60_000_000, bool))
    return path


def parquet(folder: Path) -> Path:
    """Write one value, repeated: a run length of a few bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "bomb.parquet"
    part = pa.table({"a": np.zeros(10_000_000)})
    with pq.ParquetWriter(path, part.schema, compression="zstd") as writer:
        for _ in range(6):
            writer.write_table(part)
    return path


def parquet_page(folder: Path) -> Path:
    """Write one page that unpacks to very much."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "page.parquet"
    text = pa.table({"a": ["x" * 400_000_000]})
    pq.write_table(text, path, compression="zstd", use_dictionary=False, write_statistics=False)
    return path


def csv_words(folder: Path) -> Path:
    """Write short words that never come twice: eight bytes on disk, eighty in memory."""
    path = folder / "words.csv"
    with path.open("w") as file:
        file.write("a\n")
        for start in range(0, 3_000_000, 100_000):
            file.write("".join(f"w{n:x}\n" for n in range(start, start + 100_000)))
    return path


def csv_values(folder: Path) -> Path:
    """Write empty fields: a byte each on disk, eight in memory."""
    path = folder / "values.csv"
    with path.open("w") as file:
        file.write(",".join(f"c{n}" for n in range(1000)) + "\n" + ",".join("1" * 1000) + "\n")
        for _ in range(60):
            file.write(("," * 999 + "\n") * 1000)
    return path


def csv_grid(folder: Path) -> Path:
    """Write two thousand rows and one more, an hour later: a grid of gigabytes between them."""
    path = folder / "P01.csv"
    names = [f"c{n}" for n in range(64)]
    times = [0.001 * n for n in range(2000)] + [3600.0]
    rows = "".join(f"{time:.3f}{',1' * 64},1\n" for time in times)
    path.write_text(f"time,{','.join(names)},label\n{rows}")
    columns = ", ".join(f'"{name}"' for name in names)
    (folder / "mmq-tf.toml").write_text(GRID_MANIFEST.replace("COLUMNS", columns))
    return path


def e4_zip(folder: Path) -> Path:
    """Write a hundred and fifty megabytes of one row."""
    path = folder / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("EDA.csv", "w") as member:
        member.write(b"1000.0\n4.0\n")
        for _ in range(150):
            member.write(b"0\n" * 2**19)
    return path


def set_mat5(folder: Path) -> Path:
    """Write an EEGLAB file of zeros."""
    from scipy.io import savemat

    path = folder / "bomb.set"
    savemat(path, {"data": np.zeros((8, 10_000_000)), "srate": 100.0, "nbchan": 8}, do_compression=True)
    return path


def set_cells(folder: Path) -> Path:
    """Write an EEGLAB file of very many small arrays, each an object in Python."""
    from scipy.io import savemat

    path = folder / "cells.set"
    cells = np.empty(400_000, object)
    cells[:] = [np.zeros(1)] * len(cells)
    savemat(path, {"event": cells}, do_compression=True)
    return path


def set_hdf5(folder: Path) -> Path:
    """Write an EEGLAB file of version 7.3 that says its data are huge and holds none."""
    import h5py

    path = folder / "bomb73.set"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", (64, 50_000_000), "f8", chunks=(1, 10_000), compression="gzip")
    return path


def fif_gz(folder: Path) -> Path:
    """Write a short recording, and 270 MiB of zeros after it."""
    import gzip

    path = folder / "bomb_raw.fif.gz"
    _raw(np.ones((2, 500))).save(path, verbose="ERROR")
    with gzip.open(path, "ab", compresslevel=1) as file:
        for _ in range(270):
            file.write(bytes(2**20))
    return path


def fif_skip(folder: Path) -> Path:
    """Write two blocks of samples, and a tag that says how many thousands were skipped between them."""
    path = folder / "skip_raw.fif"
    _raw(np.ones((4, 200))).save(path, verbose="ERROR")
    content = path.read_bytes()
    at = content.rfind(struct.pack(">ii", DATA_BUFFER, FLOAT32))
    end = at + 16 + struct.unpack(">i", content[at + 8 : at + 12])[0]
    skip = struct.pack(">iiiii", DATA_SKIP, INT32, 4, 0, 500_000)
    path.write_bytes(content[:end] + skip + content[at:end] + content[end:])
    return path


def set_boundary(folder: Path) -> Path:
    """Write an EEGLAB file with a boundary that cut out days."""
    path = folder / "boundary.set"
    event = np.zeros(1, [("type", object), ("latency", object), ("duration", object)])
    event[0] = ("boundary", 500.5, 2e8)
    _eeglab(path, np.ones((8, 1000), np.float32), event)
    return path


def xdf_pause(folder: Path) -> Path:
    """Write two samples of sixteen channels, days apart."""
    path = folder / "pause.xdf"
    info = (
        '<?xml version="1.0"?><info><name>e</name><type>EEG</type><channel_count>16</channel_count>'
        "<nominal_srate>250</nominal_srate><channel_format>float32</channel_format></info>"
    )
    samples = b"".join(b"\x08" + struct.pack("<d16f", time_s, *[1.0] * 16) for time_s in (1, 1.004, 900_000))
    chunks = (
        (1, b'<?xml version="1.0"?><info><version>1.0</version></info>'),
        (2, struct.pack("<I", 1) + info.encode()),
        (3, struct.pack("<I", 1) + b"\1\3" + samples),
    )
    path.write_bytes(
        b"XDF:" + b"".join(b"\4" + struct.pack("<IH", len(part) + 2, tag) + part for tag, part in chunks)
    )
    return path


def edf_pause(folder: Path) -> Path:
    """Write two records of a discontinuous EDF file, days apart."""
    path, count = folder / "pause.edf", 16
    labels = [*(f"EEG Fp{n}" for n in range(count)), "EDF Annotations"]
    n = len(labels)
    parts = [("0", 8), ("X X X X", 80), ("Startdate X X X X", 80), ("01.01.00", 8), ("00.00.00", 8)]
    parts += [(str(256 * (n + 1)), 8), ("EDF+D", 44), ("2", 8), ("1", 8), (str(n), 4)]
    parts += [(label, 16) for label in labels] + [("", 80)] * n + [("uV", 8)] * n
    parts += [("-3276.8", 8)] * n + [("3276.7", 8)] * n + [("-32768", 8)] * n + [("32767", 8)] * n
    parts += [("", 80)] * n + [("250", 8)] * count + [("30", 8)] + [("", 32)] * n
    head = b"".join(text.encode().ljust(size) for text, size in parts)
    records = [bytes(500 * count) + f"+{at_s}\x14\x14".encode().ljust(60, b"\0") for at_s in (0, 200_000)]
    path.write_bytes(head + b"".join(records))
    return path


def _raw(samples_v: np.ndarray) -> Any:
    import mne

    info = mne.create_info([f"Fp{n + 1}" for n in range(len(samples_v))], 250.0, "eeg", verbose="ERROR")
    return mne.io.RawArray(samples_v, info, verbose="ERROR")


def _eeglab(path: Path, data: np.ndarray, event: Any) -> None:
    from scipy.io import savemat

    count = data.shape[1]
    names = np.array(
        [(f"Fp{n + 1}", "EEG") for n in range(len(data))], [("labels", object), ("type", object)]
    )
    content = {"setname": "x", "nbchan": len(data), "trials": 1, "pnts": count, "data": data, "event": event}
    content |= {"srate": 250.0, "xmin": 0.0, "xmax": (count - 1) / 250.0, "chanlocs": names, "ref": "common"}
    content |= dict.fromkeys(("epoch", "icawinv", "icaweights", "icasphere", "icachansind"), np.zeros((0, 0)))
    savemat(path, {"EEG": content}, appendmat=False)


def _keras(path: Path, config: dict[str, Any], weights: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("metadata.json", '{"keras_version": "3.15.1", "date_saved": "2026-11-30@00:00:00"}')
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", weights)
    return path


def _honest() -> tuple[dict[str, Any], bytes]:
    """Return the description and the weights of the network that comes with the package."""
    from mmq_tf import pretrained

    with zipfile.ZipFile(pretrained.path("wrist-stress").with_suffix(".keras")) as file:
        return json.loads(file.read("config.json")), file.read("model.weights.h5")


def keras_width(folder: Path) -> Path:
    """Write a network whose description is of absurd widths."""
    config, weights = _honest()
    config["config"] |= {"dim": 40_000, "hidden": 40_000}
    return _keras(folder / "width.keras", config, weights)


def keras_weights(folder: Path) -> Path:
    """Write a network whose weights are said to be huge."""
    import h5py

    config, _ = _honest()
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file.create_dataset("w", (64, 50_000_000), "f4", chunks=(1, 10_000), compression="gzip")
    return _keras(folder / "weights.keras", config, held.getvalue())


def keras_zip(folder: Path) -> Path:
    """Write a network in an archive that unpacks to far more."""
    config, _ = _honest()
    return _keras(folder / "zip.keras", config, bytes(200 * 2**20))


def _columns(path: Path) -> Any:
    from mmq_tf.datasets.manifest.columns import column_names, first_rows, read_columns

    form = path.suffix[1:]
    first_rows(path, form)
    return read_columns(path, form, column_names(path, form))


def _words(path: Path) -> Any:
    from mmq_tf.datasets.manifest.columns import read_columns

    return read_columns(path, "csv", (), ("a",))


def _grid(path: Path) -> Any:
    from mmq_tf.datasets import open_dataset

    return open_dataset("manifest", path.parent).load(path.parent, path.stem)


def _e4(path: Path) -> Any:
    from mmq_tf.datasets import load_e4

    return load_e4(path)


def _mne(path: Path) -> Any:
    from mmq_tf.datasets import open_recording

    return open_recording(path)


def _network(path: Path) -> Any:
    import mmq_tf.model.mmqnet  # noqa: F401  registers the class
    from mmq_tf.model.saved_network import load_network

    return load_network(path)


PLAIN: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Any]]] = {
    "npz": (npz, _columns),
    "parquet": (parquet, _columns),
    "parquet, one page": (parquet_page, _columns),
    "csv, words": (csv_words, _words),
    "csv, empty fields": (csv_values, _columns),
    "csv, a pause": (csv_grid, _grid),
    "E4 zip": (e4_zip, _e4),
    "set, Matlab 5": (set_mat5, _mne),
    "set, cells": (set_cells, _mne),
    "set, Matlab 7.3": (set_hdf5, _mne),
    "set, a boundary": (set_boundary, _mne),
    "fif.gz": (fif_gz, _mne),
    "fif, a skip": (fif_skip, _mne),
    "edf, a pause": (edf_pause, _mne),
    "xdf, a pause": (xdf_pause, _mne),
}
KERAS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Any]]] = {
    "keras, widths": (keras_width, _network),
    "keras, weights": (keras_weights, _network),
    "keras, zip": (keras_zip, _network),
}


def honest_csv(folder: Path) -> Path:
    """Write 48 MB of numbers with dates."""
    path = folder / "honest.csv"
    numbers = np.random.default_rng(0).normal(0, 50, (100_000, 8)).round(3).tolist()
    rows = [",".join(map(str, row)) for row in numbers]
    with path.open("w") as file:
        file.write("a,b,c,d,e,f,g,h\n")
        for _ in range(8):
            file.write("\n".join(rows) + "\n")
    return path


def honest_npz(folder: Path) -> Path:
    """Write 64 MB of float32."""
    path = folder / "honest.npz"
    np.savez_compressed(path, a=np.random.default_rng(0).normal(size=16_000_000).astype(np.float32))
    return path


def honest_parquet(folder: Path) -> Path:
    """Write 64 MB of float32 beside labels of two words."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "honest.parquet"
    values = np.random.default_rng(0).normal(size=16_000_000).astype(np.float32)
    words = pa.array(["rest", "stress"]).take(pa.array(np.arange(len(values)) // 9_000_000))
    pq.write_table(pa.table({"a": values, "label": words}), path)
    return path


def honest_e4(folder: Path) -> Path:
    """Write two days of an E4."""
    path = folder / "honest.zip"
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, rate in (("BVP", 64), ("EDA", 4), ("TEMP", 4)):
            hour = "".join(f"{value:.2f}\n" for value in rng.normal(0, 50, rate * 3600).tolist())
            file.writestr(f"{name}.csv", f"1500000000.0\n{rate}.0\n" + hour * 48)
    return path


def honest_set(folder: Path) -> Path:
    """Write 64 MB of EEG."""
    from scipy.io import savemat

    path = folder / "honest.set"
    data = np.random.default_rng(0).normal(size=(8, 2_000_000)).astype(np.float32)
    names = np.array([(f"E{n}",) for n in range(8)], dtype=[("labels", object)])
    chanlocs = {"labels": names["labels"]}
    content = {
        "data": data,
        "srate": 250.0,
        "nbchan": 8,
        "pnts": 2_000_000,
        "trials": 1,
        "chanlocs": chanlocs,
    }
    content |= {"xmin": 0.0, "xmax": 8000.0, "event": [], "icawinv": [], "ref": "common"}
    savemat(path, {"EEG": content | {"chanlocs": []}}, do_compression=True)
    return path


def honest_fif(folder: Path) -> Path:
    """Write 16 MB of EEG, packed."""
    path = folder / "honest_raw.fif.gz"
    _raw(np.random.default_rng(0).normal(0, 1e-5, (8, 500_000))).save(path, verbose="ERROR")
    return path


def honest_keras(folder: Path) -> Path:
    """Write the network that comes with the package."""
    config, weights = _honest()
    return _keras(folder / "honest.keras", config, weights)


HONEST: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Any]]] = {
    "csv, honest": (honest_csv, _columns),
    "npz, honest": (honest_npz, _columns),
    "parquet, honest": (honest_parquet, _columns),
    "E4 zip, honest": (honest_e4, _e4),
    "set, Matlab 5, honest": (honest_set, _mne),
    "fif.gz, honest": (honest_fif, _mne),
}
KERAS["keras, honest"] = (honest_keras, _network)


def _status(name: str) -> int:
    """Bytes of memory by /proc: ``VmRSS`` now, ``VmHWM`` at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def measure(folder: Path, name: str) -> dict[str, Any]:
    """Write a file in one process and open it in another; return its size and what opening it took."""
    write, read = {**PLAIN, **HONEST, **KERAS}[name]
    path = Path(_in_child(lambda: str(write(folder))))

    def opened() -> dict[str, Any]:
        before = _status("VmRSS")
        try:
            read(path)
            said = ""
        except MMQError as error:
            said = str(error).replace(f"{folder}/", "")
        peak = _status("VmHWM")
        return {
            "name": name,
            "bytes": path.stat().st_size,
            "peak": peak,
            "grown": peak - before,
            "said": said,
        }

    try:
        return _in_child(opened)
    finally:
        path.unlink()


def _in_child(work: Callable[[], Any]) -> Any:
    """Return what a function gives in a forked process, as JSON carries it."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        with os.fdopen(theirs, "w") as pipe:
            json.dump(work(), pipe)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        raise MMQError("the process that opened a file ended without an answer.")
    return json.loads(text)


def main(folder: Path, names: list[str]) -> None:
    """Print what opening each file took, a line each."""
    import pandas  # noqa: F401  what the readers load is no file's memory
    import scipy.io  # noqa: F401  as pandas

    import mmq_tf.datasets.open_recording  # noqa: F401  as pandas

    if set(names) & KERAS.keys():
        import mmq_tf.model.mmqnet  # noqa: F401  as pandas; also registers the class
    else:
        import h5py  # noqa: F401  as pandas
        import mne  # noqa: F401  as pandas
        import pyarrow.parquet  # noqa: F401  as pandas
    for name in names:
        sys.stdout.write(json.dumps(measure(folder, name)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
