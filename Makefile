# `make demo` and `make test` need Python >= 3.10 and nothing else; both make .venv from constraints.txt themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
THREADS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: demo test test-slow lint bench zero-shot extrapolation generalised clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/python -m basam.cli.demo --out out/demo

test: $(READY)
	$(BIN)/python -m pytest

test-slow: $(READY)
	$(BIN)/python -m pytest --slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python benchmarks/kernel.py
	$(BIN)/python benchmarks/encoder.py
	$(BIN)/python benchmarks/evaluation.py

zero-shot: $(READY)
	$(BIN)/python -m studies.zero_shot

extrapolation: $(READY)
	$(BIN)/python -m studies.extrapolation

generalised: $(READY)
	$(BIN)/python -m studies.generalised

clean:
	rm -rf $(VENV) out runs
