.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
OUT    ?= runs/onboard
PORT   ?= 8000
MINUTES ?= 5
BENCH  ?= runs/bench
# Compiled files are kept whatever the shell says: the tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help
help: ## Show this help
	@echo "hstore: screen materials for hydrogen storage and solid electrolytes"; echo
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "Settings: PYTHON=$(PYTHON) VENV=$(VENV) OUT=$(OUT) PORT=$(PORT)"

.PHONY: screen
screen: $(VENV)/.default ## Rank candidates for onboard storage on embedded data; the report is in runs/onboard
	$(BIN)/hstore screen onboard --out $(OUT)

.PHONY: test
test: $(VENV)/.dev ## Run the test suite, but for what takes longest
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder -m "not long" --ignore=tests/benchmarks

# Files that say mark.long, and benchmarks, all of which are: each process would import all test files otherwise.
# Spread singly: nine notebooks in one file would keep one process busy long after the others.
LONG = $(shell grep -rl --include='test_*.py' 'mark\.long' tests) tests/benchmarks

.PHONY: test-long
test-long: $(VENV)/.dev ## Run the tests that take longest: benchmarks, notebooks, crashes, a scheduler
	$(BIN)/pytest -n auto --dist loadscope -m long $(LONG)

.PHONY: dependencies
dependencies: $(VENV)/.dev ## Resolve every extra on every Python, and test with the lowest and the newest dependencies
	$(BIN)/python .ci/extras.py
	.ci/dependencies.sh lowest
	.ci/dependencies.sh newest

.PHONY: lint
lint: $(VENV)/.dev ## Check style, types, layers, cards, the API contract and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hstore data check
	$(BIN)/python -m hstore_api.contract --check
	$(BIN)/codespell

.PHONY: docs
docs: $(VENV)/.dev ## Build the documentation site; warnings are errors; it is site/index.html
	$(BIN)/sphinx-build -W --keep-going -q docs site

.PHONY: notebooks
notebooks: $(VENV)/.dev ## Run the notebooks of the documentation and keep their outputs, as after a change of a model
	HSTORE_TEST_RENEW=1 $(BIN)/pytest -n 2 -m long tests/test_notebooks.py -k runs

.PHONY: bench
bench: $(VENV)/.dev ## Run the benchmarks, JSON into BENCH=runs/bench; the site shows those in benchmarks/results
	@set -e; for name in magpie predict campaign batch batch_forecast fit_pct fit_isotherm barriers topology micrographs \
		causes; do $(BIN)/python benchmarks/record.py $$name --out $(BENCH); done
	$(BIN)/python benchmarks/record.py features --out $(BENCH) -- --memory
	$(BIN)/python benchmarks/record.py api --out $(BENCH) -- --minutes $(MINUTES)

.PHONY: soak
soak: $(VENV)/.dev ## Ask the service all that its contract allows, and kill it, workers and campaigns at work
	mkdir -p runs/bench
	HSTORE_TEST_EXAMPLES=50 $(BIN)/pytest tests/api/test_schemathesis.py
	$(BIN)/python benchmarks/service_soak.py --writes 200 --jobs 20 --json > runs/bench/service_soak.json; \
		status=$$?; cat runs/bench/service_soak.json; exit $$status
	$(BIN)/python benchmarks/campaign_soak.py --minutes $(MINUTES) --json > runs/bench/campaign_soak.json; \
		status=$$?; cat runs/bench/campaign_soak.json; exit $$status

.PHONY: serve
serve: $(VENV)/.default ## Start the service on loopback, PORT=8000
	$(BIN)/hstore serve --port $(PORT)

.PHONY: lock
lock: $(VENV)/.dev ## Renew the lock files after a change of dependencies
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml -o requirements/default.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev --extra postgres -c requirements/default.lock pyproject.toml -o requirements/dev.lock
	printf 'hatchling>=1.27\npsycopg[binary]>=3.2\n' | $(BIN)/uv pip compile -q --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header -c requirements/dev.lock - -o requirements/image.lock
	echo uv | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate - -o requirements/installer.lock

.PHONY: clean
clean: ## Remove the environment and everything generated
	rm -rf $(VENV) build dist runs .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# uv installs in a tenth of pip's time; where it cannot be had, pip reads the same lock file. Both compile what they
# install: without, each process would compile the libraries anew where Python may not write beside them.
define install
	@$(BIN)/uv --version >/dev/null 2>&1 || \
		$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/installer.lock || true
	@echo "installing $(1)"; \
	if $(BIN)/uv --version >/dev/null 2>&1; then installer="$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python"; \
	else installer="$(BIN)/pip install -q --disable-pip-version-check"; fi; \
	$$installer --require-hashes -r $(1) && $$installer --no-deps -e .
endef

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "hstore needs Python 3.11 or newer, found $$($(PYTHON) --version 2>&1); set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.default: requirements/default.lock pyproject.toml | $(VENV)/bin/python
	$(call install,requirements/default.lock)
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	$(call install,requirements/dev.lock)
	@touch $@ $(VENV)/.default
