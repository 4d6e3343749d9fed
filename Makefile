# `make demo` does the main job from nothing; `make help` lists the rest.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PINS := requirements/airflow-3.3.txt
AIRFLOW := $(shell sed -n 's/^apache-airflow==//p' $(PINS))
INSTALLED := $(VENV)/.installed
SIMULATOR_PORT ?= 8756
# Each test process may start an Airflow and a simulator of its own.
TEST_PROCESSES ?= 2

# Byte code makes every start of Airflow two seconds shorter.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: demo
demo: $(INSTALLED) ## bill an invented company's invoices into a local RMA, through Airflow
	$(BIN)/python scripts/demo.py

.PHONY: demo-clean
demo-clean: ## forget the demo's books, ERP and journal
	rm -rf demo

.PHONY: test
test: $(INSTALLED) ## run the whole test suite
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile

.PHONY: fuzz
fuzz: $(INSTALLED) ## feed damaged and made-up answers to the decoders, some minutes
	$(BIN)/python -m pytest tests/client/codecs \
	  tests/ledger/decode/test_both_ways_agree.py tests/ledger/destinations/test_ledger_history.py \
	  --hypothesis-profile=fuzz

# How long `make chaos` may take, and where it begins; a failure names its seed.
CHAOS_SECONDS ?= 600
CHAOS_SCHEDULES ?= 1000000
CHAOS_FIRST ?= 100000

.PHONY: chaos
chaos: $(INSTALLED) ## bill under faults, deaths and retries, for CHAOS_SECONDS; then the ledger likewise
	$(BIN)/python -m tests.support.system.chaos --first $(CHAOS_FIRST) --schedules $(CHAOS_SCHEDULES) \
	  --seconds $(CHAOS_SECONDS) --processes $(TEST_PROCESSES)
	LEDGER_FAULTS=all LEDGER_FIRST=$(CHAOS_FIRST) LEDGER_SEEDS=1000 LEDGER_STEPS=8 LEDGER_SECONDS=$(CHAOS_SECONDS) \
	  $(BIN)/python -m pytest -q tests/ledger/test_ledger_generated.py tests/ledger/test_ledger_faults.py

# An interpreter that has benchmarks/requirements-peers.txt; without it peers are "not installed".
PEERS ?= $(BIN)/python

.PHONY: bench
bench: $(INSTALLED) ## measure; see benchmarks/README.md
	$(BIN)/python -m benchmarks.billing_throughput
	$(BIN)/python -m benchmarks.billing_lost_reply --peers $(PEERS)
	$(BIN)/python -m benchmarks.ledger_decode --samples 3
	$(BIN)/python -m benchmarks.ledger_load --peers $(PEERS)

.PHONY: bench-full
bench-full: bench ## the same, and the ledger with 5 million postings
	$(BIN)/python -m benchmarks.ledger_load --postings 5000000 --rounds 1

.PHONY: lint
lint: $(INSTALLED) ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: simulator
simulator: $(INSTALLED) ## start a local RMA to try things against
	@mkdir -p demo
	$(BIN)/rma-simulator --port $(SIMULATOR_PORT) --db demo/simulator.db --print-connection

.PHONY: setup
setup: $(INSTALLED) ## make .venv only

$(INSTALLED): $(PINS) pyproject.toml scripts/setup.sh
	@scripts/setup.sh
	@touch $@

.PHONY: pins
pins: $(INSTALLED) ## resolve requirements/ afresh, for the Airflow version it names
	@# From an empty file: uv keeps the pins of a file it is told to write to.
	echo 'apache-airflow==$(AIRFLOW)' | $(BIN)/uv pip compile --quiet --python-version 3.11 \
	  --no-header --no-emit-index-url --no-annotate --extra simulator --extra duckdb \
	  - pyproject.toml requirements/dev.in > $(PINS).new
	mv $(PINS).new $(PINS)
