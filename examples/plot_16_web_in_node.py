# SPDX-License-Identifier: Apache-2.0
"""
The same decisions in JavaScript
================================

The package ``mmq-bridge`` for npm runs a bundle in a browser, a worker or Node.js: the C core of the
wearable as WebAssembly. Here Node.js decides about a SIMULATED person, and Python checks that it says the
same. It needs Node.js 20 or newer; without it the example says so, and stops there.
"""

# %%
# Samples in files
# ----------------
# Raw float32, channel after channel.
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from mmq_bridge.source_files import SOURCES

import mmq_tf
from mmq_tf.simulation.simulator import Settings, simulate

work = Path(tempfile.mkdtemp())
recording, _ = simulate(Settings(seed=8, minutes=11), 0)
about = {}
for name, signal in recording.signals.items():
    signal.samples.astype("<f4").tofile(work / f"{name}.f32")
    about[name] = {"rate": signal.sampling_rate_hz, "channels": len(signal.samples)}
(work / "about.json").write_text(json.dumps(about))
bundle = mmq_tf.export("wrist-stress", work / "watch")

# %%
# The program
# -----------
# Sensors deliver second by second; each token that closes may bring a decision.
package = (SOURCES / "web" / "src" / "node.js").resolve()
program = f"""
import {{ readFileSync }} from "node:fs";
import {{ Device }} from "{package.as_uri()}";

const device = await Device.load("{bundle.folder.as_posix()}");
const about = JSON.parse(readFileSync("about.json"));
const sensors = Object.entries(about).map(([name, {{ rate, channels }}]) => {{
  const bytes = readFileSync(name + ".f32");
  const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const length = all.length / channels;
  const rows = Array.from({{ length: channels }}, (_, c) => all.subarray(c * length, (c + 1) * length));
  return {{ name, rate, rows, seconds: length / rate }};
}});
const show = (tokens) => {{
  for (const {{ decision }} of tokens) if (decision) console.log(JSON.stringify(decision));
}};
for (let second = 0; second < Math.max(...sensors.map((one) => one.seconds)); second++) {{
  for (const {{ name, rate, rows }} of sensors) {{
    show(device.push(name, rows.map((row) => row.slice(second * rate, (second + 1) * rate)), second));
  }}
}}
"""
(work / "decide.mjs").write_text(program)

# %%
# Side by side
# ------------
node = shutil.which("node")
if node is None:
    print("not run, for want of Node.js")
else:
    done = subprocess.run([node, "decide.mjs"], cwd=work, capture_output=True, text=True, check=True)
    there = [json.loads(line) for line in done.stdout.splitlines()]
    here = mmq_tf.load(bundle.folder).decide(recording)
    same = sum(
        one["time_s"] == other.time_s and one["probabilities"] == other.probabilities
        for one, other in zip(there, here, strict=False)
    )
    print(f"{len(there)} decisions in Node.js, {len(here)} in Python; the first {same} have the same bits")
    print(there[-1]["classes"], there[-1]["probabilities"])
