# The words of the project. Needs make and Python 3.11 or later with its venv module, nothing else:
# everything is installed into .venv, once; a second run installs nothing.

VENV := .venv
PYTHON ?=
CONFIG ?= conf/mock.toml
ARGS ?=

.PHONY: help demo run test lint types bench clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo   a fired and a resolved alert from end to end, then serve   (ARGS=--once: then stop)'
	@echo 'make run    serve with CONFIG=conf/mock.toml'
	@echo 'make test   every test, on SQLite and PostgreSQL                       (ARGS: for pytest)'
	@echo 'make lint   ruff and the import contracts'
	@echo 'make types  mypy --strict'
	@echo 'make bench  what it costs, as ratios against a ceiling                 (ARGS=--quick; ARGS=--help)'
	@echo 'make clean  remove the virtual environment, caches and builds; never var/, where alerts are kept'

demo: $(VENV)/.for-run
	@$(VENV)/bin/itsm-connector demo $(ARGS)

run: $(VENV)/.for-run
	@$(VENV)/bin/itsm-connector serve --config "$(CONFIG)" $(ARGS)

test: $(VENV)/.for-test
	@$(VENV)/bin/python -m pytest $(ARGS)

lint: $(VENV)/.for-lint
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/lint-imports

types: $(VENV)/.for-lint
	$(VENV)/bin/mypy

bench: $(VENV)/.for-bench
	@$(VENV)/bin/python -m bench $(ARGS)

clean:
	rm -rf $(VENV) build dist itsm_connector.egg-info htmlcov .coverage .coverage.*
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find adapters bench connector tests -name __pycache__ -prune -exec rm -rf {} +

# Stamps. Each names what has been installed; all go stale with the packaging facts.

$(VENV)/.for-run: EXTRA :=
$(VENV)/.for-test: EXTRA := [test]
$(VENV)/.for-lint: EXTRA := [lint]
$(VENV)/.for-bench: EXTRA := [bench]

$(VENV)/.for-run $(VENV)/.for-test $(VENV)/.for-lint $(VENV)/.for-bench: $(VENV)/.made setup.cfg pyproject.toml
	@echo 'Installing .$(EXTRA) into $(VENV) ...'
	@said=$$($(VENV)/bin/python -m pip install --disable-pip-version-check --editable '.$(EXTRA)' 2>&1) \
	  || { echo "$$said" >&2; exit 1; }
	@touch $@

# Debian and Ubuntu split venv off (its ensurepip part); a Python without it is passed over for one that has it.
$(VENV)/.made:
	@chosen=; found=; \
	for name in $(if $(PYTHON),'$(PYTHON)',python3.14 python3.13 python3.12 python3.11 python3 python); do \
	  "$$name" -c '' >/dev/null 2>&1 || continue; \
	  version=$$("$$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  if ! "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	    found="$$found  $$name is Python $$version: too old\n"; \
	  elif ! "$$name" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	    found="$$found  $$name is Python $$version but has no venv. Debian, Ubuntu: apt install python3-venv (or python$$version-venv)\n"; \
	  else chosen=$$name; break; fi; \
	done; \
	if [ -z "$$chosen" ]; then \
	  printf 'This needs Python 3.11 or later with its venv module.\n%b' "$${found:-  There is no Python on PATH.\n}" >&2; exit 1; \
	fi; \
	"$$chosen" -m venv --clear $(VENV) && touch $@
