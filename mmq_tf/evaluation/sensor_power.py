# SPDX-License-Identifier: Apache-2.0
"""What sensors and their features cost: estimates from published figures and counted instructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.errors import MMQError

UJ_PER_MILLION = 234.0
"""Energy of a million instructions: an nRF52840 at 52 uA/MHz and 3 V, 1.5 cycles each."""

NETWORK_INSTRUCTIONS = 2_023_096
"""Of one run of the shipped wrist model's network on a Cortex-M4F, `results/network_cost.json`."""

WINDOW_INSTRUCTIONS = 16_853
"""To quantise a window of the wrist set, `results/core_cost.json`."""


@dataclass(frozen=True)
class SensorPower:
    """What a kind of sensor draws while it is on, and what a second of its signal costs the processor.

    Attributes
    ----------
    uw : float
        Of the sensor, in uW.
    instructions : float
        A second, counted at `rate_hz` and one channel (acc: three).
    rate_hz : float
    source : str
        Where `uw` is from.
    per_channel : bool
        Whether `uw` is of one channel.
    """

    uw: float
    instructions: float
    rate_hz: float
    source: str
    per_channel: bool = False


_ADS129X = "TI ADS1292R data sheet, features: 335 uW a channel"
_WHOLE = "Zhang et al. 2024, arXiv 2409.06114: 700 uA at 3.7 V, a whole recorder with its radio, so at most"
SENSORS = {
    "ppg": SensorPower(1000, 44_350, 64, "Maxim MAX30102 data sheet, features: under 1 mW, LED and all"),
    "eda": SensorPower(2590, 8_669, 4, _WHOLE),
    "temp": SensorPower(25, 7_677, 4, "TI TMP117 data sheet, features: 3.5 uA at 1 Hz; times 4, at 1.8 V"),
    "acc": SensorPower(3.6, 11_685, 32, "Analog Devices ADXL362 data sheet, features: 1.8 uA at 2.0 V"),
    "ecg": SensorPower(85, 89_612, 250, "Maxim MAX30003 data sheet, features: 85 uW at 1.1 V"),
    "resp": SensorPower(335, 16_837, 32, _ADS129X),
    "emg": SensorPower(335, 224_079, 1000, _ADS129X, per_channel=True),
    "eog": SensorPower(335, 30_409, 128, _ADS129X, per_channel=True),
    "eeg": SensorPower(
        5000, 25_120, 128, "TI ADS1299 data sheet, features: 5 mW a channel", per_channel=True
    ),
}
"""By modality. The sheets are cited, not read again: check your document's revision."""

CORE_ROWS = {
    "ppg": "ppg 64 Hz", "eda": "eda 4 Hz", "temp": "temp 4 Hz", "acc": "acc 32 Hz", "ecg": "ecg 250 Hz",
    "resp": "resp 32 Hz", "emg": "emg 1000 Hz", "eog": "eog 128 Hz", "eeg": "eeg 128 Hz, 8 ch",
}  # fmt: skip
"""The rows of `results/core_cost.json` that the instructions are of; EEG's are of 8 channels."""


@dataclass(frozen=True)
class Costs:
    """What a decision costs, in uJ.

    Attributes
    ----------
    period_s : float
        From one decision to the next.
    base_uj : float
        Of network and window.
    sensor_uj : dict of str to float
        Of each sensor, when it is on throughout: its own, and its features.
    notes : tuple of str
        Where each figure is from.
    """

    period_s: float
    base_uj: float
    sensor_uj: dict[str, float]
    notes: tuple[str, ...]

    def of(self, sensors: Sequence[str]) -> float:
        """Return what a decision with these sensors costs, in uJ."""
        return self.base_uj + sum(self.sensor_uj[name] for name in sensors)


def decision_costs(
    front_end: FrontEnd,
    every_tokens: int = 1,
    *,
    power: Mapping[str, float] | None = None,
    uj_per_million: float = UJ_PER_MILLION,
    network_uj: float | None = None,
) -> Costs:
    """Return what a decision costs.

    Parameters
    ----------
    front_end : FrontEnd
    every_tokens : int
        One decision every so many tokens.
    power : mapping of str to float, optional
        What a sensor draws, in uW, in place of the published figure.
    uj_per_million : float
        Energy of a million instructions, in uJ.
    network_uj : float, optional
        Energy of one run of the network, in uJ, in place of the counted one of the shipped wrist model.

    Raises
    ------
    MMQError
        When `power` names a sensor the front end does not have.
    """
    given, modalities = dict(power or {}), front_end.modalities
    for name in given:
        if name not in modalities:
            raise MMQError(f"power: {name} is not a sensor of this run; it has {', '.join(modalities)}.")
    period_s, found, notes = front_end.token_s * every_tokens, {}, []
    for name, modality in modalities.items():
        known, channels = SENSORS[name], len(modality.channels)
        uw = given.get(name, known.uw * (channels if known.per_channel else 1))
        share = modality.sampling_rate_hz / known.rate_hz * (1 if name == "acc" else channels)
        found[name] = period_s * (uw + known.instructions * share * uj_per_million / 1e6)
        source = "as given" if name in given else known.source
        notes.append(f"{name}: {uw:g} uW ({source})")
    network = network_uj if network_uj is not None else NETWORK_INSTRUCTIONS * uj_per_million / 1e6
    said = "as given" if network_uj is not None else "the shipped wrist model's, counted"
    notes.append(
        f"network: {network:.0f} uJ ({said}); processor: {uj_per_million:g} uJ a million instructions"
    )
    return Costs(period_s, network + WINDOW_INSTRUCTIONS * uj_per_million / 1e6, found, tuple(notes))
