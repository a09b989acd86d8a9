# SPDX-License-Identifier: Apache-2.0
"""Zip archives read in memory: no file is made from a name, and no size is believed unchecked."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from mmq_bridge.errors import BridgeError
from mmq_bridge.recordings.files import check_regular

MAX_ARCHIVE_BYTES = 512 * 2**20
MAX_TOTAL_BYTES = 2**30
"""Of everything in an archive once unpacked: two days of an E4 are about 200 MiB."""

MAX_MEMBERS = 1000
MAX_DIRECTORY_BYTES = MAX_MEMBERS * 512  # read before its entries can be counted

MAX_RATIO = 250
"""An archive whose content is more than this many times its size, and over `SMALL_BYTES`, is a bomb. (An hour
of an unworn watch shrinks 1000-fold, but is small.)"""
SMALL_BYTES = 64 * 2**20

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
)


class Archive:
    """An open zip archive whose directory was found harmless.

    Parameters
    ----------
    path : Path
        Named in errors.
    opened : zipfile.ZipFile
        The archive, open for reading.

    Raises
    ------
    BridgeError
        If a name leaves the archive or occurs twice, an entry is a link, encrypted or packed in an unusual
        way, or there are too many entries or too much in them.
    """

    def __init__(self, path: Path, opened: zipfile.ZipFile) -> None:
        self._path = path
        self._zip = opened
        entries = [entry for entry in opened.infolist() if _checked(path, entry)]
        if len(opened.infolist()) > MAX_MEMBERS:
            raise BridgeError(
                f"{path}: expected at most {MAX_MEMBERS} entries; it has {len(opened.infolist())}."
            )
        self._entries = {entry.filename: entry for entry in entries}
        if len({name.casefold() for name in self._entries}) != len(entries):
            names = [entry.filename.casefold() for entry in entries]
            twice = next(entry.filename for entry in entries if names.count(entry.filename.casefold()) > 1)
            raise BridgeError(
                f"{path}: the entry {twice[:80]!r} occurs twice; which one counts cannot be known."
            )
        _check_total(path, sum(entry.file_size for entry in entries))

    @property
    def names(self) -> list[str]:
        """Names of the files, with ``/`` between folders, in the archive's order."""
        return list(self._entries)

    def size(self, name: str) -> int:
        """Bytes of one file once unpacked, as the directory says; `read` holds it to that."""
        return self._entries[name].file_size

    def beginning(self, name: str, count: int) -> bytes:
        """First bytes of one file, fewer where it has fewer.

        Raises
        ------
        BridgeError
            If it is damaged.
        """
        with self._unpacking(name), self._zip.open(self._entries[name]) as file:
            return file.read(count)

    def blocks(self, name: str, limit: int, count: int = 2**22) -> Iterator[bytes]:
        """Yield one file of at most `limit` bytes in blocks of `count`; its checksum is checked.

        Raises
        ------
        BridgeError
            If it is larger or damaged.
        """
        self._check_size(name, limit)
        with self._unpacking(name), self._zip.open(self._entries[name]) as file:
            done = 0
            while block := file.read(count):
                done += len(block)
                yield block
        self._check_whole(name, done)

    def read(self, name: str, limit: int) -> bytes:
        """Content of one file of at most `limit` bytes; its checksum is checked.

        Raises
        ------
        BridgeError
            If it is larger or damaged.
        """
        self._check_size(name, limit)
        entry = self._entries[name]
        with self._unpacking(name), self._zip.open(entry) as file:
            data = file.read(entry.file_size + 1)
        self._check_whole(name, len(data))
        return data

    def _check_size(self, name: str, limit: int) -> None:
        size = self.size(name)
        if size > limit:
            raise BridgeError(
                f"{self._path / name}: expected at most {limit / 2**20:g} MiB; the archive says"
                f" {size / 2**20:.0f} MiB."
            )

    def _check_whole(self, name: str, found: int) -> None:
        if found != self.size(name):
            raise BridgeError(
                f"{self._path / name}: the archive says {self.size(name)} bytes and holds {found};"
                " copy it again."
            )

    @contextmanager
    def _unpacking(self, name: str) -> Iterator[None]:
        try:
            yield
        except MemoryError as error:
            raise BridgeError(
                f"{self._path / name}: its {self.size(name) / 2**20:.0f} MiB do not fit into the memory there"
                " is."
            ) from error
        except BridgeError:
            raise
        except _BROKEN as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BridgeError(
                f"{self._path / name}: cannot be unpacked ({reason[:120]}); copy the archive again."
            ) from error


@contextmanager
def opened_zip(path: Path) -> Iterator[Archive]:
    """Open a zip archive for reading.

    Raises
    ------
    BridgeError
        If it is too large, no zip archive, cut short, or its directory is as `Archive` refuses.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            _check_directory(path, file)
            try:
                opened = zipfile.ZipFile(file)
            except _BROKEN as error:
                raise BridgeError(
                    f"{path}: no zip archive, or one cut short ({error}); copy it again."
                ) from error
            with opened:
                yield Archive(path, opened)
    except OSError as error:
        raise BridgeError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _check_directory(path: Path, file: BinaryIO) -> None:
    """Check the end record's sizes, found as `zipfile` finds it, before that makes an object an entry."""
    size = path.stat().st_size
    if size > MAX_ARCHIVE_BYTES:
        raise BridgeError(
            f"{path}: expected at most {MAX_ARCHIVE_BYTES / 2**20:g} MiB; it has {size / 2**20:.0f} MiB."
        )
    file.seek(max(0, size - 22 - 65535 - 20))
    tail = file.read()
    at = (
        len(tail) - 22
        if tail[-22:-18] == b"PK\x05\x06" and tail.endswith(b"\0\0")
        else tail.rfind(b"PK\x05\x06")
    )
    if at < 0 or len(tail) < at + 22:
        raise BridgeError(f"{path}: no zip archive, or one cut short (it has no directory); copy it again.")
    if tail[max(0, at - 20) : at].startswith(b"PK\x06\x07"):
        raise BridgeError(
            f"{path}: a Zip64 archive, which is for more than 4 GiB; at most 1 GiB is unpacked."
        )
    directory = struct.unpack("<I", tail[at + 12 : at + 16])[0]
    if directory > MAX_DIRECTORY_BYTES:
        raise BridgeError(
            f"{path}: expected at most {MAX_MEMBERS} entries, in a directory of {MAX_DIRECTORY_BYTES} bytes;"
            f" its directory has {directory}."
        )
    file.seek(0)


def _checked(path: Path, entry: zipfile.ZipInfo) -> bool:
    """Check one entry of the directory; whether it is a file."""
    name = entry.orig_filename
    where = f"{path}: the entry {name[:80]!r}"
    if (
        not name
        or not name.isprintable()
        or "\\" in name
        or name.startswith("/")
        or ":" in name.split("/")[0]
    ):
        raise BridgeError(f"{where} has no plain relative name; nothing of this archive is read.")
    if ".." in PurePosixPath(name).parts:
        raise BridgeError(f"{where} leaves the archive's folder; nothing of this archive is read.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BridgeError(f"{where} is a link or a device, not a file; nothing of this archive is read.")
    if entry.flag_bits & 0x41:
        raise BridgeError(f"{where} is encrypted; unpack the archive with its password and give the folder.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BridgeError(f"{where} is packed by method {entry.compress_type}; expected deflated or stored.")
    return not entry.is_dir()


def _check_total(path: Path, total: int) -> None:
    if total > MAX_TOTAL_BYTES:
        raise BridgeError(
            f"{path}: expected at most {MAX_TOTAL_BYTES / 2**20:g} MiB once unpacked; its directory says"
            f" {total / 2**20:.0f} MiB."
        )
    packed = path.stat().st_size
    if total > SMALL_BYTES and total > MAX_RATIO * packed:
        raise BridgeError(
            f"{path}: {packed} bytes would unpack to {total / 2**20:.0f} MiB, more than {MAX_RATIO} times as"
            " many: not an archive of recordings."
        )
