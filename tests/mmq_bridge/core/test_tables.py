# SPDX-License-Identifier: Apache-2.0
"""What Python hands to the core is laid out as the core's own headers say."""

import ctypes
import re
import shutil
import subprocess

import pytest
from mmq_bridge.core_binding.library import CClock, library, raise_status
from mmq_bridge.core_binding.quality_flags import Reason
from mmq_bridge.core_binding.spec_struct import CModality, CSpec, modality_values
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FRONTEND_VERSION, FrontEnd
from mmq_bridge.front_end.modalities import CORE_KINDS, SUPPORTED_MODALITIES
from mmq_bridge.source_files import SOURCES

CORE = SOURCES / "core"
STRUCTURES = {"mmq_modality_t": CModality, "mmq_spec_t": CSpec, "mmq_clock_t": CClock}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Offsets, sizes and constants of the header, as a C compiler sees them."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler named cc")
    folder = tmp_path_factory.mktemp("layout")
    wanted = [f"sizeof({struct})" for struct in STRUCTURES]
    for struct, python in STRUCTURES.items():
        wanted += [f"offsetof({struct}, {field[0]})" for field in python._fields_]
        wanted += [f"sizeof((({struct} *)0)->{field[0]})" for field in python._fields_]
    wanted += [f"MMQ_{name.upper()}" for name in CORE_KINDS] + [
        "MMQ_KINDS",
        "MMQ_FRONTEND_VERSION",
        "MMQ_NEWER_SPEC",
    ]
    wanted += [f"MMQ_WHY_{reason.name}" for reason in Reason]
    lines = "".join(f'printf("%lld\\n", (long long)({text}));\n' for text in wanted)
    program = f'#include "mmq_bridge.h"\n#include <stdio.h>\nint main(void) {{\n{lines}return 0;\n}}\n'
    (folder / "facts.c").write_text(program)
    command = [
        "cc",
        "-std=c99",
        f"-I{CORE / 'include'}",
        str(folder / "facts.c"),
        "-o",
        str(folder / "facts"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run([str(folder / "facts")], check=True, capture_output=True, text=True)
    return dict(zip(wanted, map(int, done.stdout.split()), strict=True))


@pytest.mark.parametrize("struct", STRUCTURES)
def test_structures_match_field_by_field(facts: dict[str, int], struct: str) -> None:
    python = STRUCTURES[struct]
    assert facts[f"sizeof({struct})"] == ctypes.sizeof(python)
    for field in python._fields_:
        place = getattr(python, field[0])
        assert facts[f"offsetof({struct}, {field[0]})"] == place.offset, field[0]
        assert facts[f"sizeof((({struct} *)0)->{field[0]})"] == place.size, field[0]


def test_numbers_with_a_name_are_the_cores(facts: dict[str, int]) -> None:
    for name, kind in CORE_KINDS.items():
        assert facts[f"MMQ_{name.upper()}"] == kind
    assert facts["MMQ_KINDS"] == len(CORE_KINDS)
    assert facts["MMQ_FRONTEND_VERSION"] == FRONTEND_VERSION
    for reason in Reason:
        assert facts[f"MMQ_WHY_{reason.name}"] == reason


@pytest.mark.parametrize("name", SUPPORTED_MODALITIES)
def test_every_value_has_a_field(name: str) -> None:
    modality = FrontEnd.wearable({name: 128}).modalities[name]
    fields = {field[0] for field in CModality._fields_}
    assert set(modality_values(name, modality, 5.0)) <= fields


def enumerated(type_name: str) -> list[str]:
    """Return the names of an enum of the header, in its order, in small letters and without MMQ_."""
    text = re.sub(r"/\*.*?\*/", "", (CORE / "include" / "mmq_bridge.h").read_text(), flags=re.DOTALL)
    (found,) = (body for body, name in re.findall(r"enum \{([^}]*)\}\s*(\w*);", text) if name == type_name)
    return [name.lower() for name in re.findall(r"MMQ_(\w+)", found)]


def test_the_core_names_every_status_kind_and_reason_as_header_and_python_do() -> None:
    core = library()
    statuses = enumerated("mmq_status_t")
    assert [core.mmq_status_name(status).decode() for status in range(len(statuses))] == statuses
    assert [core.mmq_kind_name(kind).decode() for kind in CORE_KINDS.values()] == list(CORE_KINDS)
    assert [core.mmq_reason_name(reason).decode() for reason in Reason] == [
        str(r.name).lower() for r in Reason
    ]
    assert [f"why_{str(r.name).lower()}" for r in Reason] == enumerated("")


def test_every_status_is_a_sentence_that_python_says() -> None:
    count = len(enumerated("mmq_status_t"))
    said = [library().mmq_status_sentence(status).decode() for status in range(count)]
    assert all(len(sentence) >= 2 for sentence in said)
    assert len(set(said)) == count
    with pytest.raises(BridgeError, match=f"^state: {said[13]}$"):
        raise_status(13, "state")
    assert library().mmq_status_sentence(count) == b""
    with pytest.raises(BridgeError, match=f"^state: status {count}$"):
        raise_status(count, "state")


def test_of_several_reasons_the_lowest_is_named_and_nothing_by_nothing() -> None:
    core = library()
    assert core.mmq_reason_name(Reason.RATE | Reason.FLAT) == b"flat"
    assert core.mmq_status_name(len(enumerated("mmq_status_t"))) == core.mmq_kind_name(len(CORE_KINDS)) == b""
    assert core.mmq_reason_name(0) == core.mmq_reason_name(1 << 14) == core.mmq_reason_name(1 << 31) == b""
