# `make run` and `make test` set up .venv by themselves.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help run test lint clean

help: ## Show this text
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

run: .venv/installed ## Run the server; ARGS="--port 9000 ..." are its options
	$(BIN)/ma-signaling $(ARGS)

test: lint ## Pass every check: lint, types, tests under pytest and under trial
	$(BIN)/python -m pytest
	$(BIN)/trial tests

lint: .venv/tested ## Lint, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

clean: ## Remove what the other targets made
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis _trial_temp*

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	touch $@
