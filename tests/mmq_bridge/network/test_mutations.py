# SPDX-License-Identifier: Apache-2.0
"""Changed models are refused in a sentence or are networks; changed plans never leave their memory."""

import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.core_binding.network import Network
from mmq_bridge.errors import BridgeError
from mmq_bridge.network.generate import plan_network
from mmq_bridge.network.plan_file import plan_file
from mmq_bridge.source_files import SOURCES

SANITISED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DMMQ_PLAN_MAX_WORK=4000000")
STRICT = ("-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror")


@pytest.fixture
def mutate(tmp_path, flags) -> Path:
    """The program that changes plans, with the address and the undefined-behaviour sanitiser."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    program = tmp_path / "mutate_plan"
    sources = sorted((SOURCES / "core/src/network").glob("*.c"))
    sources.append(Path(__file__).with_name("mutate_plan.c"))
    include = f"-I{SOURCES / 'core/include'}"
    command = ["gcc", *STRICT, *SANITISED, *flags, include, *map(str, sources), "-o", str(program)]
    subprocess.run(command, check=True)
    return program


@pytest.mark.parametrize(("fused", "flags"), [(True, ()), (False, ("-DMMQ_NETWORK_PLAIN",))])
def test_changed_plans_stay_in_their_memory(nets, mutate, tmp_path, fused, flags):
    path = tmp_path / "plan.bin"
    path.write_bytes(plan_file(plan_network(nets.shipped, fused=fused)))
    done = subprocess.run([mutate, path, "1500"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    ran = int(done.stdout.split()[1])
    assert 100 < ran < 1400  # some changes make another network, most make none


def test_a_cut_or_foreign_plan_is_refused(nets):
    content = plan_file(plan_network(nets.shipped))
    for damaged in (
        b"",
        b"MQ",
        content[:100],
        content[:-1],
        b"\0" * 64,
        content[4:],
        content[:4] + b"\1" + content[5:],  # the version before
    ):
        with pytest.raises(BridgeError, match="network: it is no plan that this core knows"):
            Network(damaged)


def check_model(content: bytes) -> bool:
    """Plan it and run it once; whether it is a network still. Anything but a sentence escapes."""
    try:
        planned = plan_network(content)
    except BridgeError:
        return False
    if planned.arena_bytes > 1 << 22:
        return True
    network = Network(plan_file(planned))
    network.run({name: np.zeros(math.prod(t.shape), np.int8) for name, t in planned.inputs.items()})
    return True


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scales of 1e-40 and the like
def test_changed_models_are_refused_or_run(small_models):
    rng, networks = np.random.default_rng(1), 0
    models = small_models
    assert all(check_model(model) for model in models)
    for number in range(2400):
        content = bytearray(models[number % len(models)])
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(content)))
            content[at] = int(rng.choice([0, 1, 2, 127, 128, 255, content[at] ^ 1 << int(rng.integers(8))]))
        networks += check_model(bytes(content if number % 10 else content[: rng.integers(len(content))]))
    assert 200 < networks < 2000


def test_a_changed_whole_model_is_refused_or_runs(nets):
    rng = np.random.default_rng(2)
    for _ in range(12):
        content = bytearray(nets.shipped)
        for _ in range(8):
            content[int(rng.integers(len(content)))] = int(rng.integers(256))
        check_model(bytes(content))
