# SPDX-License-Identifier: Apache-2.0
"""Units of samples in files and streams, and what brings them to the front end's."""

from __future__ import annotations

from mmq_bridge.front_end.default_settings import modality_defaults

UNITS = {
    "microvolts": "uV",
    "microvolt": "uV",
    "millivolts": "mV",
    "millivolt": "mV",
    "volts": "V",
    "volt": "V",
    "microsiemens": "uS",
    "siemens": "S",
    "celsius": "degC",
    "deg c": "degC",
    "uv": "uV",
    "mv": "mV",
    "us": "uS",
}
"""Other spellings of units (XDF recommends "microvolts"), in small letters, by their symbols."""

_SIGNS = {"uV": "µV", "uS": "µS", "degC": "°C", "m/s2": "m/s²"}

_VOLT = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "µV": 1e-6, "μV": 1e-6, "nV": 1e-9}  # noqa: RUF001
_SIEMENS = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "µS": 1e-6, "μS": 1e-6, "nS": 1e-9}  # noqa: RUF001
_FACTORS = {
    "uV": {unit: size / 1e-6 for unit, size in _VOLT.items()},
    "mV": {unit: size / 1e-3 for unit, size in _VOLT.items()},
    "uS": {unit: size / 1e-6 for unit, size in _SIEMENS.items()},
    "degC": {"degC": 1.0, "°C": 1.0, "C": 1.0},
    "g": {"g": 1.0, "mg": 1e-3, "m/s2": 1 / 9.80665, "m/s^2": 1 / 9.80665, "m/s²": 1 / 9.80665},
}


def shown_unit(unit: str) -> str:
    """Return a unit as people write it; files keep the plain letters.

    Examples
    --------
    >>> shown_unit("uS"), shown_unit("degC"), shown_unit("a.u.")
    ('µS', '°C', 'a.u.')
    """
    return _SIGNS.get(unit, unit)


def front_end_unit(modality: str) -> str:
    """Return the unit in which a front end takes samples of a modality unless told otherwise.

    Examples
    --------
    >>> front_end_unit("ecg"), front_end_unit("ppg")
    ('mV', 'a.u.')
    """
    return modality_defaults(modality, 1.0, 2)["unit"]


def known_units(modality: str) -> tuple[str, ...]:
    """Return the units that lead to a modality's by themselves, the front end's own first."""
    wanted = front_end_unit(modality)
    return tuple(sorted(_FACTORS.get(wanted, {wanted: 1.0}), key=lambda unit: unit != wanted))


def unit_factor(modality: str, unit: str, factor: float | None = None) -> float:
    """Return what a value in `unit` is multiplied by to be in the front end's.

    Parameters
    ----------
    modality : str
        What was measured.
    unit : str
        Of the values.
    factor : float, optional
        What somebody said; needed for a unit that is not known.

    Raises
    ------
    ValueError
        If neither the unit nor a factor says so, or the two contradict each other.

    Examples
    --------
    >>> unit_factor("ecg", "uV"), unit_factor("eda", "counts", 0.01)
    (0.001, 0.01)
    """
    wanted = front_end_unit(modality)
    known = _FACTORS.get(wanted, {})
    if unit in known:
        if factor is not None and abs(factor / known[unit] - 1) > 1e-3:
            raise ValueError(
                f"factor {factor:g} contradicts unit {unit!r}, from which {known[unit]:g} leads to {wanted};"
                " leave factor out, or name another unit (for instance 'counts')"
            )
        return known[unit]
    if factor is not None:
        return factor
    if wanted == "a.u.":
        return 1.0
    raise ValueError(
        f"unit {unit!r} is not one of {', '.join(known)}; give factor, which brings it to {wanted}"
    )
