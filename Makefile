# `make demo` shows the whole job on a simulated cohort, `make test` checks everything, `make targets` shows that the C
# core gives the same bits on every target and keeps its budgets there (installs emulators and compilers as root).
# `make tests` runs all tests and nothing else, `make quick` those that need no TensorFlow, recordings, browser or emulator and
# are not slow; `make coverage` runs all tests and prints the share of statements that ran, file by file, which takes longer.
# `make companion` installs what the companion page's tests in a browser need (npm; Chromium as root).
# `make phones` installs what the tests of the phone packages need: a Kotlin compiler (as part of a Jupyter kernel, 80 MB) and
# parsers of Swift and Kotlin.
# `make docs` builds the pages of docs/, runs the examples for them and checks every link: build/docs/index.html.
# `make wheels` writes what is published to dist/: mmq-bridge for five systems, cross-compiled, mmq-tf, and their sources.
# `make pretrained` builds the model that comes with the package again, from the recordings under MMQ_DATA;
# `make refresh-pretrained` writes anew what follows from it: plan, golden decisions, card, committed hashes and the sample.
# `make demo-deap` (demo-mahnob-hci, demo-wesad, demo-case, ...) trains on SIMULATED people in a licensed set's layout.
PYTHON ?= python3
BIN := .venv/bin
MMQ_DATA ?= ../shared/data
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder
CORE := $(shell find firmware_bridge/core -type f 2>/dev/null)

LICENSED := deap mahnob-hci wesad wesad-chest wesad-wrist-with-chest case
layout = $(if $(filter wesad%,$*),wesad,$(subst -,_,$*))

.PHONY: demo $(LICENSED:%=demo-%) pretrained refresh-pretrained test tests lint quick coverage targets companion phones fuzz docs wheels install clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt firmware_bridge/pyproject.toml firmware_bridge/CMakeLists.txt $(CORE)
	@command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || { \
	  echo "mmq-tf needs a C compiler for its signal core: install gcc or clang (Debian: apt install gcc) and try again." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "mmq-tf needs Python 3.11 or newer: run make PYTHON=python3.11." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (some minutes the first time)"
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e ./firmware_bridge -e '.[dev]'
	@touch $@

demo: install
	@$(BIN)/mmq-tf simulate --out demo/cohort --subjects 12 --seed 7 --force
	@$(BIN)/mmq-tf train simulated --data demo/cohort --out demo/run --force
	@$(BIN)/mmq-tf export demo/run --int8 --out demo/bundle
	@$(BIN)/mmq-tf verify demo/bundle
	@echo "A wearer the model never met; PPG falls off at 420 s, EDA at 500 s, everything at 600 s:"
	@$(BIN)/mmq-tf simulate --out demo/wearer --subjects 1 --seed 99 --force
	@$(BIN)/mmq-tf stream demo/bundle --replay demo/wearer/sim-01 --every 4 --drop ppg@420-480 --drop eda@500-560 \
	  --drop ppg@600-720 --drop eda@600-720 --drop temp@600-720 --drop acc@600-720
	@echo "SIMULATED data throughout. Open demo/run/report.html for the result, demo/bundle/MODEL_CARD.md for the model."

$(LICENSED:%=demo-%): demo-%: install
	@$(BIN)/mmq-tf simulate --layout $(layout) --out demo/$(layout) --subjects 6 --force
	@$(BIN)/mmq-tf datasets check $(layout) demo/$(layout)
	@$(BIN)/mmq-tf prepare $* --data demo/$(layout)
	@$(BIN)/mmq-tf train $* --data demo/$(layout) --folds 3 --set training.batch_size=8 --out demo/$*-run --force
	@echo "SIMULATED people in the layout of $(layout). Open demo/$*-run/report.html; the real files: mmq-tf train $* --data DIR"

pretrained: install
	@$(BIN)/mmq-tf simulate --out runs/pretrained-golden --subjects 1 --minutes 7 --force
	@$(BIN)/mmq-tf train wrist --data $(MMQ_DATA) --set name=wrist-stress --set model.size=nano \
	  --final --out runs/wrist-stress --force
	@$(BIN)/mmq-tf export runs/wrist-stress --int8 --slim --golden runs/pretrained-golden/sim-01 \
	  --transfer results/travel_cogwear.json --transfer results/travel_cogwear_to_stress_predict.json \
	  --out mmq_tf/pretrained/wrist-stress
	@cp runs/wrist-stress/model.keras mmq_tf/pretrained/wrist-stress.keras
	@$(MAKE) --no-print-directory refresh-pretrained

refresh-pretrained: install
	@cd benchmarks && ../$(BIN)/python -m refresh_pretrained ../mmq_tf/pretrained/wrist-stress
	@MMQ_DATA=$(MMQ_DATA) $(BIN)/python -m mmq_bridge.targets --only gcc-1 --network mmq_tf/pretrained/wrist-stress --accept
	@cd benchmarks && ../$(BIN)/python -m make_sample
	@$(BIN)/mmq-tf verify --pretrained wrist-stress

test: lint
	@$(MAKE) --no-print-directory tests

tests: install
	@$(BIN)/pytest $(SIDE_BY_SIDE)

lint: install
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright

quick: install
	@OMP_NUM_THREADS=1 $(BIN)/pytest --quick $(SIDE_BY_SIDE)

coverage: install
	@$(BIN)/pytest $(SIDE_BY_SIDE) --cov --cov-report=
	@$(BIN)/python -m coverage report --sort=cover

targets: install
	@$(BIN)/python -m mmq_bridge.targets --install --everywhere --network mmq_tf/pretrained/wrist-stress
	@$(BIN)/mmq-tf bench core

companion: install
	@npm ci --prefix tests/mmq_bridge/companion --ignore-scripts --no-audit --no-fund --loglevel error
	@command -v chromium >/dev/null || { apt-get -qq update && \
	  DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium >/dev/null; }

phones: install
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  kotlin-jupyter-kernel==0.19.0.944 tree-sitter==0.26.1 tree-sitter-swift==0.7.4 tree-sitter-kotlin==1.1.0

fuzz: install
	@cd firmware_bridge && ../$(BIN)/python -m fuzz --install --seconds $(or $(FUZZ_S),30)

docs: install
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@$(BIN)/sphinx-build -b html -c docs -W --keep-going -n -q . build/docs
	@$(BIN)/python docs/check_links.py build/docs

wheels: install
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[wheels]'
	@$(BIN)/python firmware_bridge/wheels/make.py --out dist
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m build --outdir dist . >/dev/null
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m build --sdist --outdir dist firmware_bridge >/dev/null
	@ls -l dist

clean:
	rm -rf .venv build demo dist
