# SPDX-License-Identifier: Apache-2.0
"""Signals as the folder an Empatica E4 exports."""

SCALES = {"BVP": ("ppg", 1), "EDA": ("eda", 1), "TEMP": ("temp", 1), "ACC": ("acc", 64)}


def write_e4(folder, signals):
    """Write signals as an E4 export; sensors start as many whole ms apart as they say."""
    folder.mkdir(parents=True)
    for name, (modality, scale) in SCALES.items():
        if modality not in signals:
            continue
        signal = signals[modality]
        head = [
            [1700000000 + signal.start_s] * len(signal.samples),
            [signal.sampling_rate_hz] * len(signal.samples),
        ]
        rows = [*head, *(signal.samples.T * scale)]
        text = "".join(",".join(f"{value:.6f}" for value in row) + "\n" for row in rows)
        (folder / f"{name}.csv").write_text(text)
    return folder
