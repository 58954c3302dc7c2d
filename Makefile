# From a bare checkout: `make run` serves Huozi, `make test` runs every test. Needs Python 3.11 or newer, git and make.

.DEFAULT_GOAL := help
.PHONY: help run assets migrate translations docs geo test test-ocr coverage lint types check bench prove pages screenshots servers clean

VENV := .venv/bin
# What was installed, by the time of the file that asked for it.
RUN_ENV := .venv/.huozi-run
DEV_ENV := .venv/.huozi-dev

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

$(RUN_ENV): requirements.txt scripts/environment
	@scripts/environment requirements.txt
	@touch $@

$(DEV_ENV): requirements-dev.txt requirements.txt scripts/environment
	@scripts/environment requirements-dev.txt
	@touch $@ $(RUN_ENV)

run: $(RUN_ENV) assets ## everything: environment, assets, migrations, demo data, server on PORT (default 8000)
	@exec $(VENV)/python scripts/run

assets: $(RUN_ENV) ## fetch the panel's scripts and styles
	@$(VENV)/python scripts/assets

migrate: $(RUN_ENV) ## bring the database up to date
	@$(VENV)/flask --app wsgi db upgrade

translations: $(DEV_ENV) ## bring the catalogues of texts up to date
	@$(VENV)/python scripts/translations

docs: $(DEV_ENV) ## write docs/commands.md and docs/routes.md from the code
	@$(VENV)/python scripts/docs

geo: ## build the bundled place database and region catalogue anew
	@scripts/geo

servers: ## install the real servers that tests and benchmark need
	@scripts/install-test-servers

test: $(DEV_ENV) assets servers ## all tests, on real servers; PYTEST="-k words" narrows them
	@$(VENV)/python -m pytest -n 2 --timeout=300 $(PYTEST)

test-ocr: $(DEV_ENV) ## dates read off pictures by the OCR extra, in an environment beside this one (400 MB)
	@scripts/ocr-environment
	@.venv-ocr/bin/python -m pytest -q --timeout=300 tests/ocr/read_dates.py

coverage: $(DEV_ENV) servers ## branches of the rules and the ledger that no test takes: none
	@$(VENV)/python -m pytest -n 2 --timeout=300 tests/rules tests/ledger --cov --cov-report=
	@$(VENV)/python -m coverage report --include='app/rules/*,app/ledger/*' --fail-under=100

lint: $(DEV_ENV) ## style of all Python
	@$(VENV)/ruff check . $$(grep -lE '^#!.*python' scripts/*)

types: $(DEV_ENV) ## types of app/
	@$(VENV)/mypy

check: lint types test ## lint, types and tests

bench: $(DEV_ENV) assets servers ## the load benchmark, prints its table
	@$(VENV)/python bench/run.py

pages: $(DEV_ENV) assets ## server time of every page with 5,000 live codes and 10 million scans
	@$(VENV)/python bench/pages.py

screenshots: $(DEV_ENV) assets servers ## take the pictures of docs/screenshots anew
	@$(VENV)/python scripts/screenshots

prove: $(DEV_ENV) servers ## at full size: servers killed under load, a month of alerts, 10,000 people choosing at once
	@HUOZI_PROVE=1 $(VENV)/python -m pytest tests/faults tests/alerts/test_month.py tests/people/test_choosing_at_once.py

clean: ## remove what was made, but no data
	rm -rf .venv .venv-ocr .mypy_cache .ruff_cache .pytest_cache .hypothesis htmlcov .coverage static/vendor
