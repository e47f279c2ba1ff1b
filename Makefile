# One command each; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV ?= .venv
PYTHON := $(VENV)/bin/python
SERVERS := prometheus prometheus-alertmanager prometheus-pushgateway prometheus-node-exporter victoria-metrics redis-server wrk chromium

# On every core; tests of one group in one process, and the slow ones first, as tests/conftest.py has sorted them.
PARALLEL := -n auto --dist loadgroup --no-loadscope-reorder

# Settings of the caller's own pip and Python that would lead an installation out of $(VENV).
unexport PIP_CONSTRAINT PIP_PREFIX PIP_REQUIRE_HASHES PIP_ROOT PIP_TARGET PIP_USER PYTHONHOME PYTHONPATH

# What `$(VENV)/.installed-NAME` puts into the virtual environment.
demo := -e ".[fastapi,live,demo]"
test := -e ".[fastapi,live,demo]" --group test
mutants := $(test) --group mutants
check := $(test) --group check --group bench
bench := -e ".[fastapi]" --group bench

.PHONY: help venv servers demo quick test long sdks models rivals mutants versions check check-format check-lint check-types check-imports format bench constraints clean

help: ## List the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

venv: $(VENV)/.installed-check ## Make .venv with everything that tests and checks need

servers: ## Install the real servers and the browser that tests run against (Debian, root)
	@scripts/servers.sh $(SERVERS)

demo: $(VENV)/.installed-demo ## Run the four services, a language model, Prometheus, the live page and real traffic (KEEP=1 stays up)
	@$(PYTHON) -m examples.recruiting.demo

quick: $(VENV)/.installed-test ## Run the tests that need no server, on every save; ARGS="-k http" goes to pytest
	@$(PYTHON) -m pytest -q -n auto --dist worksteal -m "not slow" $(ARGS)

test: $(VENV)/.installed-test servers ## Run all tests but the longest, and print the slowest; ARGS="-k http" goes to pytest
	@PARALLEL="$(PARALLEL)" scripts/test.sh usual $(PYTHON) -m pytest --durations=10 $(ARGS)

long: $(VENV)/.installed-test servers ## Run the tests that take longest: every alert, a pair of Prometheus, foreign projects, mutants of rules
	@scripts/test.sh long $(PYTHON) -m pytest --durations=10 $(ARGS)

sdks: ## Run the tests of the SDK instruments on the newest and the oldest supported releases (SHORT=1: as CI does)
	@SHORT=$(SHORT) scripts/sdks.sh $(ARGS)

models: ## Run the tests of watched models on the newest and the oldest supported releases (SHORT=1: as CI does)
	@SHORT=$(SHORT) scripts/models.sh $(ARGS)

versions: ## Run the tests on the lowest and the newest dependencies and on each Python (SHORT=1: as CI does)
	@SHORT=$(SHORT) scripts/versions.sh $(ARGS)

check: check-format check-lint check-types check-imports check-rendered ## Run all gates (formatter, linter, types, ...)

check-format: $(VENV)/.installed-check
	$(VENV)/bin/ruff format --check --quiet .

check-lint: $(VENV)/.installed-check
	$(VENV)/bin/ruff check .

check-types: $(VENV)/.installed-check
	$(VENV)/bin/mypy
	$(VENV)/bin/pyright --pythonpath $(PYTHON)

check-imports: $(VENV)/.installed-check
	$(VENV)/bin/lint-imports

check-rendered: $(VENV)/.installed-check
	@$(PYTHON) -m mlmetrics.cli render --check

format: $(VENV)/.installed-check ## Format the code, and mend what the linter can mend
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

render: $(VENV)/.installed-test ## Write what is rendered from mlmetrics.toml, what the wheel ships, the schema and its page
	@$(PYTHON) -m mlmetrics.monitoring.schema
	@$(PYTHON) -m mlmetrics.cli render
	@$(PYTHON) -m tests.monitoring.shipped

mutation: $(VENV)/.installed-test servers ## Mutate every rule, and count the mutants that its tests notice
	@$(PYTHON) -m tests.monitoring.mutation $(ARGS)

rivals: ## Run other instruments of the SDKs against the same ledgers; writes docs/rivals.md
	@scripts/rivals.sh

mutants: $(VENV)/.installed-mutants ## Change the core in 100 random places, and count the changes that no test notices
	@$(PYTHON) -m tests.mutants $(ARGS)

alerts: $(VENV)/.installed-test servers ## See every alert fire and resolve on real servers; writes docs/alerts.md
	@$(PYTHON) -m tests.integration.alert_rehearsal --write

drift: $(VENV)/.installed-test servers ## Count the false alarms of drift in simulated weeks, and its power; writes docs/drift.md
	@$(PYTHON) -m tests.monitoring.rules.false_alarms --write $(ARGS)

scale: $(VENV)/.installed-test servers ## Scrape 200 pods of 2,000 series, against the plan; a Prometheus gone for a minute
	@OUTAGE_SECONDS=60 $(PYTHON) -m pytest tests/integration/test_prometheus_pair.py
	@$(PYTHON) -m tests.scale.rehearsal --write $(ARGS)

workers: $(VENV)/.installed-test ## Kill workers under load for a minute, then wrk for 30 s, and compare what is counted
	@scripts/servers.sh wrk
	@$(PYTHON) -m tests.workers.kills $(ARGS)
	@$(PYTHON) -m tests.workers.load

panels: $(VENV)/.installed-test ## Run every query of every panel on the Prometheus at URL=...
	@$(PYTHON) -m mlmetrics.cli check --prometheus $(URL) --panels

pictures: $(VENV)/.installed-test servers ## Take the pictures of the live page that README and docs show, in Chromium
	@$(PYTHON) -m tests.browser.pictures docs/images

bench: $(VENV)/.installed-bench ## Measure, side by side with peers
	@scripts/servers.sh wrk
	@$(PYTHON) -m benchmarks $(ARGS)

constraints: ## Resolve all dependencies anew and pin them in constraints.txt
	@scripts/constraints.sh

clean: ## Remove what the other commands made
	rm -rf $(VENV) .venv-* build dist *.egg-info .coverage htmlcov
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PYTHON):
	@scripts/venv.sh $(VENV)

# Python compiles what it imports; pip would compile every file of every package, which takes most of its time.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(PYTHON)
	@echo "Installing for 'make $*' into $(VENV)"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt $($*)
	@touch $@
