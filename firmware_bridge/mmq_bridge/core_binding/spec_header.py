# SPDX-License-Identifier: Apache-2.0
"""A front end as C text: `mmq_spec.h`, the one const struct the core reads on a device."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.core_binding.spec_struct import (
    TABLE_FIELDS,
    CModality,
    CSpec,
    modality_values,
    spec_values,
)
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.modalities import CORE_KINDS


def _number(value: Any) -> str:
    """Write a number so that C reads the very same bits: nine significant digits for a float."""
    if isinstance(value, (bool, int, np.integer)):
        return str(int(value))
    return f"{float(np.float32(value)):.9g}".replace("inf", "0") + _suffix(float(np.float32(value)))


def _suffix(value: float) -> str:
    text = f"{value:.9g}"
    return "f" if any(mark in text for mark in ".en") else ".0f"


def _array(name: str, values: np.ndarray) -> str:
    kind = "uint16_t" if values.dtype == np.uint16 else "float"
    numbers = (
        [_number(v) for v in values.ravel().tolist()] if kind == "float" else [str(v) for v in values.ravel()]
    )
    rows = [", ".join(numbers[i : i + 8]) for i in range(0, len(numbers), 8)]
    return f"static const {kind} {name}[{values.size}] = {{\n    " + ",\n    ".join(rows) + "\n};\n"


def _struct(values: dict[str, Any], kind: type[ctypes.Structure], indent: str) -> str:
    """Write every field in the struct's own order, without designators: C++17 has none."""
    fields = {field[0]: field[1] for field in kind._fields_}
    empty = {name: "0" if issubclass(of, ctypes._SimpleCData) else "NULL" for name, of in fields.items()}
    return "".join(f"{indent}{values.get(name, empty[name])}, /* {name} */\n" for name in fields)


def _modality_text(name: str, values: dict[str, Any]) -> tuple[str, str]:
    """Return the tables of one modality and its struct."""
    tables, fields = "", {}
    for key, value in values.items():
        if key not in TABLE_FIELDS:
            fields[key] = _number(value)
        elif value.size:
            tables += _array(f"mmq_{name}_{key}", value)
            fields[key] = f"mmq_{name}_{key}"
    return tables, "    { /* " + name + " */\n" + _struct(fields, CModality, "        ") + "    },\n"


def spec_header(front_end: FrontEnd) -> str:
    """Write `mmq_spec.h`.

    Parameters
    ----------
    front_end : FrontEnd
        With its normalisation and quantisation for a device, without them for raw features.

    Returns
    -------
    str
        C99 text that defines ``mmq_spec``, an enum of modality numbers such as ``MMQ_SPEC_PPG``, the sizes
        ``MMQ_SPEC_TOKENS``, ``MMQ_SPEC_FEATURES``, ``MMQ_SPEC_MODALITIES`` and ``MMQ_SPEC_BYTES`` (memory the
        bridge needs with 64-bit pointers, so never too small), ``MMQ_SPEC_SAVED_BYTES`` (what
        ``mmq_state_save`` writes), and ``MMQ_SPEC_KINDS`` for a core built without the other kinds. Include
        it in one C or C++ file.

    Raises
    ------
    BridgeError
        When the core refuses the front end.
    """
    tables, structs = "", ""
    for name, modality in front_end.modalities.items():
        values = modality_values(name, modality, front_end.token_s, front_end.look_back_tokens > 0)
        table, struct = _modality_text(name, values)
        tables, structs = tables + table, structs + struct
    spec: dict[str, Any] = {}
    for key, value in spec_values(front_end).items():
        if isinstance(value, np.ndarray):
            tables += _array(f"mmq_spec_{key}", value)
            spec[key] = f"mmq_spec_{key}"
        elif value is not None:
            spec[key] = _number(value)
    spec["modalities"] = "mmq_spec_modalities"
    kinds = sum({1 << CORE_KINDS[name] for name in front_end.modalities})
    bridge = Bridge(front_end)
    names = ",\n".join(
        f"    MMQ_SPEC_{name.upper()} = {i}" for i, name in enumerate(front_end.modality_names)
    )
    return (
        "/* SPDX-License-Identifier: Apache-2.0 */\n"
        f"/* mmq_spec.h: written from a front end with digest\n * {front_end.digest()}.\n"
        " * Do not edit: change the front end and write it again. Include it in one C or C++ file. */\n"
        '#ifndef MMQ_SPEC_H\n#define MMQ_SPEC_H\n\n#include "mmq_bridge.h"\n\n'
        f"#define MMQ_SPEC_TOKENS {front_end.tokens}\n#define MMQ_SPEC_FEATURES {front_end.n_features}\n"
        f"#define MMQ_SPEC_MODALITIES {len(front_end.modalities)}\n"
        f"#define MMQ_SPEC_BYTES {bridge.state_bytes}\n"
        f"#define MMQ_SPEC_SAVED_BYTES {bridge.saved_bytes} /* what mmq_state_save() writes */\n"
        f"#define MMQ_SPEC_KINDS {kinds:#x}u /* bit k: mmq_kind_t k is used */\n\n"
        f"enum {{\n{names}\n}};\n\n{tables}\n"
        f"static const mmq_modality_t mmq_spec_modalities[{len(front_end.modalities)}] = {{\n{structs}}};\n\n"
        f"static const mmq_spec_t mmq_spec = {{\n{_struct(spec, CSpec, '    ')}}};\n\n#endif\n"
    )
