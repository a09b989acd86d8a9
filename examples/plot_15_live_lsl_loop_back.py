# SPDX-License-Identifier: Apache-2.0
"""
Live sensors over Lab Streaming Layer
=====================================

Lab Streaming Layer (LSL) carries samples of many devices through a laboratory's network. Here a
recording plays a device, and a bundle listens, on one machine and at 60 times the speed of life. The
person is SIMULATED. It needs the extra ``live`` (``pip install 'mmq-tf[live]'``).
"""

# %%
# A fake device
# -------------
# Each sensor is a stream of its own, with type, unit, rate and channel names.
import os
import tempfile
import threading
import time
import uuid
from pathlib import Path

from mmq_bridge.sources.lsl import LSLSource
from mmq_bridge.sources.lsl_player import Player
from mmq_bridge.sources.session import LiveSession

import mmq_tf
from mmq_tf.simulation.simulator import Settings, simulate

config = Path(tempfile.mkdtemp()) / "lsl_api.cfg"
config.write_text(
    f"[lab]\nSessionID = example-{uuid.uuid4().hex}\nKnownPeers = {{127.0.0.1}}\n"
    "[multicast]\nResolveScope = machine\n[log]\nlevel = -3\n"
)
os.environ.setdefault("LSLAPICFG", str(config))  # stay on this machine, meet no other session
recording, _ = simulate(Settings(seed=7, minutes=11), 0)
player = Player(recording.signals, "wearer", "example", simulated=True, speed=60.0)


def play() -> None:
    """Send the recording once somebody listens."""
    player.wait_for_listener(threading.Event())
    for _ in player.play():
        pass


device_thread = threading.Thread(target=play, daemon=True)
device_thread.start()

# %%
# Listen
# ------
# Streams are found by type and fitted by unit, rate and channel names. A session puts their samples in order.
device = mmq_tf.load("wrist-stress")
source = LSLSource(device.front_end, print)
source.find(20.0)
session, decisions = LiveSession(device, source, print), []
while device_thread.is_alive():
    decisions += session.step()
    time.sleep(0.05)
decisions += session.step() + session.finish()
source.close()
player.close()
last = decisions[-1]
print(f"{len(decisions)} decisions; the last at {last.time_s:.0f} s: {last.reason or last.classes['stress']}")

# %%
# From two terminals: ``mmq-tf play DIR --lsl`` and ``mmq-tf stream --pretrained wrist-stress --lsl``.
