# SPDX-License-Identifier: Apache-2.0
"""XML of data sets: small, plain, without document types; anything else is refused before it can grow."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree.ElementTree import Element

from mmq_bridge.recordings.files import read_bytes

from mmq_tf.errors import MMQError

MAX_BYTES = 2**20
MAX_DEPTH = 32
CHUNK_BYTES = 4096


def read_xml(path: Path, limit: int = MAX_BYTES) -> Element:
    """Read an XML file.

    Parameters
    ----------
    path : Path
        The file.
    limit : int
        Most bytes it may have.

    Returns
    -------
    xml.etree.ElementTree.Element
        Its root.

    Raises
    ------
    MMQError
        If it cannot be read, is too large or nested too deeply, is not well-formed in the encoding it names,
        or has a document type: that is where entities ("billion laughs") and files elsewhere are named.
    """
    from defusedxml.common import DTDForbidden
    from defusedxml.ElementTree import ParseError, XMLParser

    data = io.BytesIO(read_bytes(path, limit))
    builder = _CappedBuilder(path)
    parser = XMLParser(target=builder, forbid_dtd=True)
    try:
        while chunk := data.read(CHUNK_BYTES):
            parser.feed(chunk)
        return parser.close()
    except DTDForbidden as error:
        raise MMQError(
            f"{path}: expected XML without a document type; got <!DOCTYPE {str(error.name)[:40]}>, which"
            " could name entities and other files and is never read."
        ) from error
    except MMQError:
        raise
    except (ParseError, LookupError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise MMQError(f"{path}: expected well-formed XML in the encoding it names; {reason}.") from error


class _CappedBuilder:
    """Builds elements as `xml.etree.ElementTree.TreeBuilder` does, and refuses deep nesting."""

    def __init__(self, path: Path) -> None:
        from xml.etree.ElementTree import TreeBuilder

        self._path = path
        self._depth = 0
        self._builder = TreeBuilder()
        self.data = self._builder.data
        self.close = self._builder.close

    def start(self, tag: str, attributes: dict[str, str]) -> Element:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise MMQError(
                f"{self._path}: expected XML nested at most {MAX_DEPTH} deep; <{tag[:40]}> lies deeper."
            )
        return self._builder.start(tag, attributes)

    def end(self, tag: str) -> Element:
        self._depth -= 1
        return self._builder.end(tag)
