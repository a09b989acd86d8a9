# SPDX-License-Identifier: Apache-2.0
"""XML that would grow, reach elsewhere or recurse: each is refused by name, in one sentence."""

import codecs

import pytest
import refusals

from mmq_tf.datasets.formats.files.xml_files import MAX_BYTES, MAX_DEPTH, read_xml
from mmq_tf.errors import MMQError

LAUGHS = '<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))


def refused(tmp_path, content, *words):
    path = tmp_path / "session.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refusals.refused(lambda: read_xml(path), path.name, *words)


def test_good_xml_is_read(tmp_path):
    path = tmp_path / "session.xml"
    for text, encoding in [
        ('<?xml version="1.0" encoding="utf-8"?>\r\n<session name="é"><subject id="3"/></session>', "utf-8"),
        ('<session name="é"><subject id="3"/></session>', "utf-8-sig"),
        ('<?xml version="1.0" encoding="utf-16"?><session name="é"><subject id="3"/></session>', "utf-16"),
        (
            '<?xml version="1.0" encoding="iso-8859-1"?><session name="é"><subject id="3"/></session>',
            "latin-1",
        ),
    ]:
        path.write_bytes(text.encode(encoding))
        root = read_xml(path)
        assert root.tag == "session"
        assert root.get("name") == "é"
        assert [child.get("id") for child in root] == ["3"]


@pytest.mark.parametrize(
    "doctype",
    [
        f"<!DOCTYPE lolz [{LAUGHS}]>",
        '<!DOCTYPE lolz SYSTEM "http://localhost/x.dtd">',
        '<!DOCTYPE lolz PUBLIC "-//x//y" "file:///etc/passwd">',
        '<!DOCTYPE lolz [<!ENTITY passwd SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE lolz [<!ENTITY % outer SYSTEM "http://localhost/x"> %outer;]>',
        f'<!DOCTYPE lolz [<!ENTITY a "{"a" * 10_000}">]>',
        "<!DOCTYPE lolz>",
    ],
)
def test_a_document_type_is_never_read(tmp_path, doctype):
    refused(tmp_path, f'<?xml version="1.0"?>{doctype}<a>&l9;</a>', "<!DOCTYPE lolz>", "never read")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_document_type_cannot_hide_in_another_encoding(tmp_path, encoding):
    mark = codecs.BOM_UTF16_LE if encoding.endswith("le") else codecs.BOM_UTF16_BE
    refused(tmp_path, mark + f"<!DOCTYPE lolz [{LAUGHS}]><a/>".encode(encoding), "<!DOCTYPE lolz>")


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 200_000])
def test_deep_nesting(tmp_path, depth):
    refused(tmp_path, "<a>" * depth + "</a>" * (depth if depth < 1000 else 0), "at most 32 deep", "<a>")


def test_the_depth_allowed_is_read(tmp_path):
    path = tmp_path / "session.xml"
    path.write_text("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH)
    assert len(list(read_xml(path).iter("a"))) == MAX_DEPTH


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   ",
        b"not xml",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a x=1/>",
        b"<a x='1' x='2'/>",
        b"<a>&undefined;</a>",
        b"<a>\x00</a>",
        b'<?xml version="1.0" encoding="utf-8"?><a name="caf\xe9"/>',
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        b'<?xml version="1.0" encoding="klingon"?><a/>',
        b'<?xml version="1.0" encoding="shift_jis"?><a>\x83\x65</a>',
        b'<?xml version="1.0" encoding="base64"?><a/>',
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_what_is_not_well_formed(tmp_path, content):
    refused(tmp_path, content, "expected well-formed XML in the encoding it names")


def test_a_large_file_is_refused_before_reading(tmp_path):
    path = tmp_path / "session.xml"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse
    with pytest.raises(MMQError, match=r"session\.xml: expected at most 1 MiB"):
        read_xml(path)


def test_the_limit_is_on_bytes(tmp_path):
    path = tmp_path / "session.xml"
    path.write_text("<a>" + " " * (MAX_BYTES - 7) + "</a>")
    assert read_xml(path).tag == "a"
    path.write_text("<a>" + " " * (MAX_BYTES - 6) + "</a>")
    with pytest.raises(MMQError, match="expected at most 1 MiB"):
        read_xml(path)


def test_a_folder_or_nothing_in_its_place(tmp_path):
    for name in ("folder", "nothing"):
        if name == "folder":
            (tmp_path / name).mkdir()
        with pytest.raises(MMQError, match="cannot be read"):
            read_xml(tmp_path / name)
