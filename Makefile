# `make demo` and `make test` need Python >= 3.10 and nothing else; they make .venv from constraints.txt themselves.
# Two stamps: what the demo needs, and what tests, linters and studies need on top of it. Meta's sam2 asks for torchvision, so it
# is installed without what it asks for; so is labelme, which asks for Qt. Tests that compare with them are skipped where that fails.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/.demo
DEV := $(VENV)/.dev
OLDEST := .venv-oldest
# Two workers of one thread each; one that has nothing left to do takes tests from the other.
WORKERS := -n 2 --dist worksteal
PIP := -m pip install --quiet --constraint constraints.txt --editable

.PHONY: demo test test-slow test-oldest lint bench bench-gpu zero-shot extrapolation generalised clean

$(DEMO): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python $(PIP) '.[demo]'
	touch $@

$(DEV): $(DEMO)
	$(BIN)/python $(PIP) '.[dev]'
	-$(BIN)/python -m pip install --quiet setuptools wheel
	-SAM2_BUILD_CUDA=0 $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --constraint constraints.txt sam2
	-$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt labelme
	touch $@

demo: $(DEMO)
	$(BIN)/python -m basam.cli.demo --out out/demo

test: $(DEV)
	$(BIN)/python -m pytest $(WORKERS)

test-slow: $(DEV)
	$(BIN)/python -m pytest $(WORKERS) --slow

# The oldest versions that pyproject.toml allows, of all but torch: see docs/development.md.
test-oldest: $(DEV)
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --upgrade pip
	$(BIN)/python tests/helpers/oldest.py > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/python -m pip install --quiet --constraint $(OLDEST)/constraints.txt --editable '.[dev]'
	$(OLDEST)/bin/python -m pytest $(WORKERS)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEV)
	$(BIN)/python benchmarks/kernel.py
	$(BIN)/python benchmarks/encoder.py
	$(BIN)/python benchmarks/evaluation.py

# On a machine with a GPU, by its own python3: PyTorch with CUDA, Triton, transformers and pytest must be there. Nothing is installed.
OUT ?= results
bench-gpu:
	PYTHONPATH=src $(PYTHON) benchmarks/gpu.py --out $(OUT)

zero-shot: $(DEV)
	$(BIN)/python -m studies.zero_shot

extrapolation: $(DEV)
	$(BIN)/python -m studies.extrapolation

generalised: $(DEV)
	$(BIN)/python -m studies.generalised

clean:
	rm -rf $(VENV) $(OLDEST) out runs
