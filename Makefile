# `make demo` and `make test` are all a newcomer needs; each does its own set-up in .venv.
SHELL := /bin/bash
PYTHON ?= python3.11
# Where torch comes from when not from the default index; see README, "Without a GPU".
TORCH_INDEX_URL ?=
# Test files run side by side in this many processes.
TEST_PROCESSES ?= 2
# Which faults `make faults` plants, by comma; all of them when empty.
FAMILIES ?=
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo up down status test lint types imports unit screenshots bench damage faults bad-inputs audit clean \
  compose-up compose-demo compose-down

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.runtime: requirements.txt constraints.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "Python 3.11 with venv is needed; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(if $(TORCH_INDEX_URL),$(BIN)/pip install --quiet --index-url $(TORCH_INDEX_URL) \
	  "$$(grep ^torch== requirements.txt)")
	$(BIN)/pip install --quiet -r requirements.txt -c constraints.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.development: $(VENV)/.runtime requirements-dev.txt requirements-generators.txt
	$(BIN)/pip install --quiet -r requirements-dev.txt -c constraints.txt
	@touch $@

setup: $(VENV)/.runtime ## Install everything into .venv

demo: setup ## Run two feedback iterations on real images in a real Airflow, and show what came of it
	@$(BIN)/activesynth demo

up: setup ## Start the embedded platform
	@$(BIN)/activesynth up

down: ## Stop the embedded platform
	@test ! -x $(BIN)/activesynth || $(BIN)/activesynth down

status: ## Say what of the embedded platform runs
	@$(BIN)/activesynth status

test: $(VENV)/.development lint types imports unit ## The whole check: lint, types, imports, all tests

lint: $(VENV)/.development
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.development
	@$(BIN)/mypy

imports: $(VENV)/.development
	@PYTHONPATH=plugins $(BIN)/lint-imports --no-logo

# One thread each: the processes fill the cores, and threads of their own would wait for each other.
unit: $(VENV)/.development
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/pytest \
	  -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

screenshots: $(VENV)/.development ## Take the pictures of docs/images anew
	@PYTHONPATH=.:plugins:tests $(BIN)/python tests/screenshots.py

bench: $(VENV)/.development ## Measure where the time goes
	@$(BIN)/python -m benchmarks

damage: $(VENV)/.development ## The long form of damage: 300 flipped bits found, 100 lost blobs and 200 of a backup named
	@PYTHONPATH=.:tests $(BIN)/python tests/damage/suite.py

faults: $(VENV)/.development ## Kill, pause, double and starve hundreds of tasks; FAMILIES=kills,zombies for some
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONPATH=.:plugins:tests $(BIN)/python \
	  tests/faults/fault_program.py $(if $(FAMILIES),--families "$(FAMILIES)")
	@$(if $(FAMILIES),true,ACTIVESYNTH_TEST_AWAY_SECONDS=600 OMP_NUM_THREADS=1 $(BIN)/pytest \
	  -q tests/orchestration/test_user_actions.py)

bad-inputs: $(VENV)/.development ## Print the catalogue of bad inputs and how each is answered
	@PYTHONPATH=tests $(BIN)/python -m bad_inputs

# In an environment of its own: what looks for holes should not share its libraries with us. Advisories
# know torch by its version alone, so "+cpu" is left out.
$(VENV)/audit/bin/pip-audit:
	@$(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/pip install --quiet pip-audit==2.10.1

audit: $(VENV)/audit/bin/pip-audit ## Ask the advisory database about every distribution of the images; needs the network
	@for lock in docker/requirements.lock docker/requirements-gpu.lock; do \
	  $(VENV)/audit/bin/pip-audit --requirement <(sed 's/+cpu / /' $$lock) \
	    --require-hashes --disable-pip --strict || exit 1; done

compose-up: ## Start the whole platform in containers: Postgres, MinIO, Redis, Airflow, workers
	@python3 docker/make_secrets.py "$${SECRETS:-docker/secrets}"
	@mkdir -p docker/data
	@docker compose up --build --detach --wait
	@echo "Airflow is at http://127.0.0.1:$${AIRFLOW_PORT:-8080}; its password stands in $${SECRETS:-docker/secrets}/admin_password"

compose-demo: ## Run two feedback iterations on the containers of `make compose-up`
	@docker compose run --rm cli demo
	@docker compose cp worker:/var/lib/activesynth/reports/digits.html digits.html
	@echo "The report is copied to digits.html"

compose-down: ## Stop the containers; data stays in their volumes
	@docker compose down

clean: down ## Remove the environment and the embedded platform's state
	rm -rf $(VENV) .activesynth
