# Everything here needs python3 (3.11 or newer, with venv): the virtual environment makes itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN_READY := $(VENV)/.run-ready
# The fast ones first, on all cores.
FAST ?= tests/unit tests/property tests/golden tests/deploy tests/rules tests/grafana
# Real servers and processes, and what they do within a time: one after the other.
REAL ?= tests/integration tests/e2e
# So many arbitrary histories, of traffic and of CPU, after everything else; a hundred of each are among the property tests.
HISTORIES ?= 1000
PYTEST := $(BIN)/python -m pytest
PICTURES := grafana/pictures

.PHONY: help demo test unit soak lint format bench golden docs images clean
.DEFAULT_GOAL := help

help:  ## Say what there is.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

$(RUN_READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gigas-exporter needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(READY): $(RUN_READY)
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

demo: $(RUN_READY)  ## Run the exporter against a simulated account: http://localhost:9877/
	@exec $(BIN)/gigas-exporter demo

test: $(READY)  ## Run every test: the fast ones first, then those with real servers and processes.
	$(PYTEST) exporter --doctest-modules -q --no-header
	$(PYTEST) $(FAST) -n auto --durations=10 --cov --cov-report=
	$(PYTEST) $(REAL) --durations=10 --cov --cov-append --cov-report=term
	EXACTNESS_EXAMPLES=$(HISTORIES) $(PYTEST) tests/property/test_exactness.py -n auto

unit: $(READY)  ## Run the unit and property tests only.
	$(PYTEST) tests/unit tests/property -n auto

soak: $(READY)  ## Kill the exporter for several minutes and count every byte; CRASH_SEED=7 repeats the deaths of a seed.
	$(PYTEST) tests/soak

lint: $(READY)  ## Check style, types and the rooms' layers.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## Mend what ruff can mend.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY)  ## Measure against bare parts, for three quarters of an hour; SHORT=1: for some minutes. Keeps the table.
	$(BIN)/python -m bench $(if $(SHORT),--short)

golden: $(READY)  ## Write the golden files anew; look at the difference before you commit it.
	$(PYTEST) tests/golden --write-golden

docs: $(READY)  ## Write the references that follow from the code: docs/configuration.md, docs/metrics.md.
	$(BIN)/python -m tests.references

images: $(READY)  ## Draw the pictures of the dashboards anew: some minutes; needs npm, chromium and prometheus.
	mkdir -p $(PICTURES)/build
	cp $(PICTURES)/*.json $(PICTURES)/draw.jsx $(PICTURES)/page.html $(PICTURES)/build
	npm ci --prefix $(PICTURES)/build --legacy-peer-deps --ignore-scripts --no-audit --no-fund
	npm run bundle --prefix $(PICTURES)/build --silent
	$(BIN)/python -m grafana.pictures

clean:  ## Remove the virtual environment and caches.
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
