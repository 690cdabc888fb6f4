# make quickstart   set everything up, then run the whole thing on this machine
# make test         set everything up, then run the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := models/smollm2-135m-instruct
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: setup quickstart test slow check soak bench clean

setup: $(VENV)/ready $(BASE)/config.json

# torch first, then DeepSpeed, which builds against it; each with what is installed already, never in isolation.
$(VENV)/ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tsugiki needs Python 3.11 or newer, got " + sys.version.split()[0] + "; name one: make PYTHON=python3.11")'
	@echo "installing into $(VENV): 2.5 GB, about two minutes"
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) setuptools wheel hatchling editables
	$(PIP) --no-build-isolation deepspeed
	$(PIP) --no-build-isolation --editable '.[deepspeed,megatron,quickstart,ray,sft,dev]'
	touch $@

$(BASE)/config.json: | $(VENV)/ready
	$(BIN)/python -W ignore -m tsugiki.smollm2 $(BASE)

quickstart: setup
	$(BIN)/tsugiki run configs/quickstart.yaml

# Each of the two has a core of its own: threads that wait for each other on one take ten times as long.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# The newest megatron-core that is supported, beside the one that is installed: its wheel is for Python 3.12 and plain
# Python where we use it. 290 MB to download and 710 MB on the disk, nearly all of it triton, which it imports.
OTHER := $(VENV)/megatron-core-0.19.2
BESIDE := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(OTHER)

$(OTHER)/ready: $(VENV)/ready
	rm -rf $(OTHER)
	$(BESIDE) --ignore-requires-python --python-version 3.12 --only-binary=:all: megatron-core==0.19.2
	$(BESIDE) triton==3.7.1
	touch $@

# Two at a time as well. What measures time runs alone, last, and so does the Slurm
# of the tests.
slow: setup $(OTHER)/ready
	TSUGIKI_OTHER_MEGATRON=$(abspath $(OTHER)) OMP_NUM_THREADS=1 \
		$(BIN)/python -m pytest -m 'slow and not alone and not slurm' -n 2 --dist loadfile
	$(BIN)/python -m pytest -m 'slow and (alone or slurm)'

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Long kill, fault and scale loops, and all that is tested on a real Slurm.
soak: setup
	$(BIN)/python -m pytest -m 'soak or slurm'

# make bench NAME=kernels
bench: setup
	$(BIN)/python -m benchmarks $(NAME) --json

clean:
	rm -rf $(VENV) runs
