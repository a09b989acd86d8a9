// SPDX-License-Identifier: Apache-2.0
// simulator.js: a SIMULATED wearer at the bundle's own rates: two minutes of rest, two of stress, in turn.
// Shapes and sizes follow mmq_tf/simulation/simulator, which names their sources; they only resemble measured signals.
const TURN_S = 120;
const BLEND_S = 15;
const GRID = 64; // steps of the body's slow states a second
const ECG_WAVES = [
  [-Math.PI / 3, 0.12, 0.25],
  [-Math.PI / 12, -0.1, 0.1],
  [0, 1, 0.1],
  [Math.PI / 12, -0.2, 0.1],
  [Math.PI / 2, 0.25, 0.4],
];
const PPG_WAVES = [
  [0.22, 1, 0.085],
  [0.46, 0.38, 0.1],
];
const PPG_MEAN = PPG_WAVES.reduce(
  (sum, [, height, width]) => sum + height * width * Math.sqrt(2 * Math.PI),
  0,
);
const SCR_RISE_S = 0.75,
  SCR_DECAY_S = 2.5,
  SCR_PEAK = 0.535; // of exp(-t/decay) - exp(-t/rise)
const SCR_MEMORY_S = 30;

/** An endless source; the same seed gives the same samples. */
export function simulatorSource(bundle, seed = 1) {
  return {
    name: "simulated wearer",
    simulated: true,
    durationS: Infinity,
    sensors: bundle.modalities.map(({ name }) => name),
    steps: () => steps(bundle.modalities, seed),
  };
}

function* steps(modalities, seed) {
  const body = new Body(seed);
  for (let second = 0; ; second++) {
    body.live(second);
    const chunks = modalities.map(({ name, channels, rateHz }) => {
      const first = Math.ceil(second * rateHz),
        last = Math.ceil((second + 1) * rateHz),
        frames = last - first;
      const samples = new Float32Array(channels * frames);
      for (let channel = 0; channel < channels; channel++) {
        for (let i = 0; i < frames; i++) {
          samples[channel * frames + i] = SENSORS[name](body, (first + i) / rateHz, channel, rateHz);
        }
      }
      return { name, samples, frames, timeS: first / rateHz };
    });
    yield { nowS: second + 1, chunks };
  }
}

class Body {
  constructor(seed) {
    this.random = generator(seed);
    this.beats = 0;
    this.breaths = 0;
    this.sweat = 0;
    this.cold = 0;
    this.scr = [];
    this.move = null;
    this.second = 0;
    this.state = { background: [], posture: [0.1, -0.31, 0.945], gaze: [0, 0], blinkS: -1 };
  }

  /** Live one second: the phases of heart and breath on a grid, sweat, skin, responses and movement. */
  live(second) {
    this.second = second;
    this.arousal = arousalAt(second);
    this.heart = new Float64Array(GRID + 1);
    this.breath = new Float64Array(GRID + 1);
    for (let i = 0; i <= GRID; i++) {
      this.heart[i] = this.beats;
      this.breath[i] = this.breaths;
      if (i === GRID) break;
      this.breaths += (0.23 + 0.08 * this.arousal) / GRID;
      const perMinute =
        68 + 17 * this.arousal + (4 - 2.5 * this.arousal) * Math.sin(2 * Math.PI * this.breaths);
      this.beats += perMinute / 60 / GRID;
    }
    this.sweat += (this.arousal - this.sweat) * (this.arousal > this.sweat ? 0.06 : 0.0125);
    this.cold += (this.arousal - this.cold) * 0.013;
    this.scr = this.scr.filter(({ atS }) => second - atS < SCR_MEMORY_S);
    if (this.random() < 0.05 + 0.12 * this.arousal) {
      this.scr.push({ atS: second + this.random(), height: 0.15 + 0.5 * this.random() });
    }
    if (this.move && second > this.move.untilS) this.move = null;
    if (!this.move && this.random() < 0.02)
      this.move = { untilS: second + 1 + 4 * this.random(), g: 0.05 + 0.15 * this.random() };
  }

  beatsAt(timeS) {
    return onGrid(this.heart, timeS - this.second);
  }

  breathAt(timeS) {
    return Math.sin(2 * Math.PI * onGrid(this.breath, timeS - this.second));
  }

  /** Movement of one axis in g. */
  movedAt(timeS, axis) {
    return this.move ? this.move.g * Math.sin(2 * Math.PI * (1.3 + 0.4 * axis) * timeS + axis) : 0;
  }

  noise(deviation) {
    return deviation * Math.sqrt(-2 * Math.log(1 - this.random())) * Math.cos(2 * Math.PI * this.random());
  }
}

const SENSORS = {
  ppg(body, timeS) {
    const wave =
      pulse(body.beatsAt(timeS)) * 60 * (1 - 0.35 * body.sweat) * (1 + 0.06 * body.breathAt(timeS));
    return wave + 5 * body.breathAt(timeS) + 150 * body.movedAt(timeS, 0) + body.noise(3);
  },
  ecg(body, timeS) {
    return ecgAt(body.beatsAt(timeS)) + 0.04 * body.breathAt(timeS) + body.noise(0.015);
  },
  eda(body, timeS) {
    const tonic = 3 * Math.exp(0.5 * body.sweat);
    return (
      tonic +
      body.scr.reduce((sum, { atS, height }) => sum + height * response(timeS - atS), 0) +
      body.noise(0.0012)
    );
  },
  temp(body, timeS) {
    return (
      Math.round((33.2 - 0.9 * body.cold + 0.05 * Math.sin(timeS / 90) + body.noise(0.008)) / 0.02) * 0.02
    );
  },
  acc(body, timeS, channel) {
    const value = body.state.posture[channel % 3] + body.movedAt(timeS, channel % 3) + body.noise(0.006);
    return Math.round(value * 64) / 64;
  },
  resp(body, timeS) {
    return body.breathAt(timeS) * (1 - 0.15 * body.arousal) + body.noise(0.03);
  },
  eeg(body, timeS, channel, rateHz) {
    const { background } = body.state;
    const keep = Math.exp((-2 * Math.PI * 2) / rateHz);
    background[channel] = keep * (background[channel] ?? 0) + body.noise(8 * Math.sqrt(1 - keep * keep));
    const alpha =
      (9 - 4 * body.arousal) * Math.sin(2 * Math.PI * 10 * timeS + channel) * (1 + 0.5 * Math.sin(timeS / 3));
    return (
      background[channel] +
      alpha +
      2.5 * (1 + body.arousal) * Math.sin(2 * Math.PI * 21 * timeS + 2 * channel) +
      body.noise(1.5)
    );
  },
  eog(body, timeS, channel, rateHz) {
    const { gaze } = body.state;
    if (body.random() < 1 / rateHz) gaze[channel] = body.noise(70);
    if (channel === 0 && body.random() < 0.25 / rateHz) body.state.blinkS = timeS;
    const age = timeS - body.state.blinkS;
    return gaze[channel] + (age < 0.3 ? 200 * Math.sin((Math.PI * age) / 0.3) ** 2 : 0) + body.noise(3);
  },
  emg: (body) => body.noise(12 * Math.exp(0.6 * body.arousal) * (body.move ? 4 : 1)),
};

/** An ECG in mV after so many beats; each whole number is the peak of one. */
export function ecgAt(beats) {
  const angle = 2 * Math.PI * (((beats + 0.5) % 1) - 0.5);
  return ECG_WAVES.reduce(
    (sum, [at, height, width]) => sum + height * Math.exp(-((angle - at) ** 2) / (2 * width ** 2)),
    0,
  );
}

function arousalAt(timeS) {
  const into = timeS % (2 * TURN_S);
  if (into < TURN_S) return timeS < 2 * TURN_S ? 0 : Math.max(0, 1 - into / BLEND_S);
  return Math.min(1, (into - TURN_S) / BLEND_S);
}

function pulse(beats) {
  const share = beats - Math.floor(beats);
  return PPG_WAVES.reduce((sum, [at, height, width]) => {
    const away = Math.min(Math.abs(share - at), 1 - Math.abs(share - at));
    return sum + height * Math.exp(-(away ** 2) / (2 * width ** 2));
  }, -PPG_MEAN);
}

const response = (age) =>
  age < 0 ? 0 : (Math.exp(-age / SCR_DECAY_S) - Math.exp(-age / SCR_RISE_S)) / SCR_PEAK;

function onGrid(values, share) {
  const at = Math.min(Math.max(share, 0) * GRID, GRID - 1e-9),
    i = Math.floor(at);
  return values[i] + (at - i) * (values[i + 1] - values[i]);
}

/** Uniform numbers in 0..1 (mulberry32). */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}
