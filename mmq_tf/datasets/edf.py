"""What an EDF header promises, held against the file, before any library reads it.

MNE reads what is there of a file cut short and at most warns. (EDF: Kemp et al., Electroenceph. clin.
Neurophysiol. 82, 1992; EDF+: Kemp and Olivan, Clin. Neurophysiol. 114, 2003.)
"""

from __future__ import annotations

from pathlib import Path

from mmq_tf.errors import MMQError

FIXED_BYTES = 256
SAMPLES_AT = 216  # bytes a signal before its "number of samples in each data record"
MAX_SIGNALS = 512


def check_edf(path: Path, data: bytes) -> None:
    """Check that an EDF file has the size its own header says.

    Parameters
    ----------
    path : Path
        Named in errors.
    data : bytes
        The whole file.

    Raises
    ------
    MMQError
        If it is not EDF, a header field is not a number, or bytes are missing or too many.
    """
    if not data:
        raise MMQError(f"{path}: expected an EDF file; the file is empty.")
    if data[:8] != b"0       ":
        raise MMQError(
            f"{path}: expected an EDF file (it begins with '0' and seven spaces); got {data[:8]!r}."
        )
    if len(data) < FIXED_BYTES:
        raise MMQError(f"{path}: expected an EDF header of {FIXED_BYTES} bytes; the file has {len(data)}.")
    records = _integer(path, data, 236, 8, "number of data records")
    signals = _integer(path, data, 252, 4, "number of signals")
    if not 0 < signals <= MAX_SIGNALS or records <= 0:
        raise MMQError(
            f"{path}: expected 1 to {MAX_SIGNALS} signals and at least one data record; the header says"
            f" {signals} and {records}."
        )
    header = FIXED_BYTES * (signals + 1)
    if len(data) < header:
        raise MMQError(
            f"{path}: expected an EDF header of {header} bytes; the file has {len(data)}: cut short."
        )
    first = FIXED_BYTES + signals * SAMPLES_AT
    counts = [
        _integer(path, data, first + 8 * i, 8, f"samples a record of signal {i + 1}") for i in range(signals)
    ]
    if min(counts) <= 0:
        raise MMQError(f"{path}: every signal must have at least one sample a record; got {min(counts)}.")
    expected = header + 2 * records * sum(counts)
    if len(data) != expected:
        fault = "cut short, copy it again" if len(data) < expected else "longer than its header says"
        raise MMQError(
            f"{path}: expected {expected} bytes ({records} data records); the file has {len(data)}: {fault}."
        )


def _integer(path: Path, data: bytes, at: int, width: int, what: str) -> int:
    field = data[at : at + width]
    try:
        return int(field.decode("ascii"))
    except ValueError as error:
        raise MMQError(f"{path}: byte {at}, {what}, must be a whole number; got {field!r}.") from error
