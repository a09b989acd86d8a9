# SPDX-License-Identifier: Apache-2.0
"""One file over HTTP, continued where an earlier download of it was cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mmq_tf.errors import MMQError

if TYPE_CHECKING:
    from requests import Response

OnBytes = Callable[[int, int | None], None]
"""Called with the bytes of a file that have come, and their number where the server says it."""

CHUNK_BYTES = 16 * 2**10  # at most one is lost when the connection breaks
MAX_FILE_BYTES = 256 * 2**20  # the largest file offered has 4 MiB


class Download:
    """Receives a file into a hidden ``.NAME.part`` beside its final place.

    Parameters
    ----------
    target : Path
        The final place.
    timeout_s : float
        Longest silence of the server.
    on_bytes : callable
        Progress.

    Attributes
    ----------
    part : Path
        What has come so far; it stays when the download breaks.
    continued : bool
        Whether the last call went on from an earlier part.
    """

    def __init__(self, target: Path, timeout_s: float, on_bytes: OnBytes) -> None:
        self.part = target.with_name(f".{target.name}.part")
        self.timeout_s = timeout_s
        self.on_bytes = on_bytes
        self.continued = False

    @property
    def received(self) -> int:
        """Bytes that have come so far."""
        return self.part.stat().st_size if self.part.exists() else 0

    def __call__(self, url: str) -> None:
        """Download what `url` has and `part` lacks.

        Raises
        ------
        MMQError
            If the file is absurdly large.
        requests.RequestException
            If the server or the way to it fails.
        OSError
            If the disk does.
        """
        import requests

        have = self.received
        # A compressed answer could not be continued: a range counts the bytes as they are sent.
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        with requests.get(url, headers=headers, stream=True, timeout=self.timeout_s) as response:
            self.continued = have > 0 and _continues(response, have)
            if have and not self.continued and response.status_code in (206, 416):
                self.part.unlink()  # not a part of what the server has: from the beginning, without a range
                return self(url)
            response.raise_for_status()
            self._receive(url, response)

    def _receive(self, url: str, response: Response) -> None:
        done = self.received if self.continued else 0
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdigit() else None
        with self.part.open("ab" if self.continued else "wb") as file:
            for chunk in response.iter_content(CHUNK_BYTES):
                done += len(chunk)
                if done > MAX_FILE_BYTES:
                    self.part.unlink()
                    raise MMQError(
                        f"{url}: expected at most {MAX_FILE_BYTES >> 20} MiB; the server sends more."
                    )
                file.write(chunk)
                self.on_bytes(done, total)


def _continues(response: Response, have: int) -> bool:
    """Whether an answer is what follows the first `have` bytes."""
    span = response.headers.get("Content-Range", "")
    plain = "Content-Encoding" not in response.headers
    return response.status_code == 206 and span.startswith(f"bytes {have}-") and plain
