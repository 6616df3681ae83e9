# make demo | make test | make install: each makes what it needs first; nothing outside this folder is touched.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CONSTRAINTS := $(wildcard constraints.txt)

# The first interpreter that is new enough and can make an environment; `make PYTHON=... install` chooses another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python3.14; do \
	"$$p" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NO_ALBUMENTATIONS_UPDATE := 1
export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help install test lint types tests format demo clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## .venv with everything in it; does nothing when pyproject.toml and constraints.txt did not change

$(STAMP): pyproject.toml $(CONSTRAINTS)
	@test -n "$(PYTHON)" || { echo "sigverify needs Python 3.11 or newer with venv; got none on PATH." \
		"Install python3.11 and python3.11-venv, or name one: make PYTHON=/path/to/python3.12 install" >&2; exit 2; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@echo "installing into $(VENV) (the first time fetches about 3 GB and takes a few minutes)"
	@$(BIN)/python -m pip install --quiet --progress-bar off -e '.[dev]' $(addprefix -c ,$(CONSTRAINTS))
	@touch $(STAMP)

test: lint types tests  ## lint, types, tests

lint: $(STAMP)  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## mypy --strict
	$(BIN)/mypy

tests: $(STAMP)  ## pytest
	$(BIN)/python -m pytest

format: $(STAMP)  ## ruff, changing files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: $(STAMP)  ## a synthetic bank's day, from scans to decisions, in ./demo-run
	@$(BIN)/python -m flows.demo

clean:  ## remove what was built here; .venv goes too
	rm -rf $(VENV) demo-run build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
