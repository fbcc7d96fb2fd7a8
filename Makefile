# `make run` and `make test` set up .venv by themselves.
PYTHON ?= python3
# The tests start hundreds of servers, and each would compile every module anew.
export PYTHONDONTWRITEBYTECODE =
BIN := .venv/bin
SECONDS ?= 300
GAMES ?= 500
# Three times as many as there are processors: real tests wait more than they compute.
PYTEST = $(BIN)/python -m pytest --numprocesses=$(or $(WORKERS),$(shell expr $$(nproc) \* 3)) --dist=worksteal
PIN = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command 'make requirements'

.PHONY: help install rollback run cluster test ci unit real trial compiled lint coverage versions soak soak-home field fuzz model bench changelog hooks requirements clean

help: ## Show this text
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

install: ## As root: install or upgrade the server for systemd, in /opt/ma-signaling
	contrib/install.sh install

rollback: ## As root: run the version again that ran before this one was installed
	contrib/install.sh rollback

run: .venv/installed ## Run the server; ARGS="--port 9000 ..." are its options
	$(BIN)/ma-signaling $(ARGS)

cluster: .venv/tested ## Run NATS and two nodes on this machine, to try a cluster
	$(BIN)/python contrib/local_cluster.py

test: .venv/tested ## Pass every check: lint, types, all tests under pytest, and one part of each kind under trial
	$(MAKE) --jobs --output-sync lint compiled build/libdatachannel
	$(PYTEST)

ci: ## Do what CI does, from installing what a bare Debian or Ubuntu lacks
	.ci/run

unit: .venv/tested ## Run the tests in memory alone, in any order: some ten seconds
	$(BIN)/python -m pytest tests/unit -p randomly

real: .venv/tested build/libdatachannel ## Run the tests that start processes or look around the program
	$(PYTEST) -m real

trial: .venv/tested ## Run those tests that `make test` runs under trial too
	$(BIN)/python -m pytest -s tests/project/test_under_trial.py

# By one process, while lint leaves the other processors idle; or all that run the tests would do it at once.
# What can't be compiled fails there, where it is told.
compiled: .venv/tested
	@$(BIN)/python -m pytest --collect-only --quiet >/dev/null || true

lint: .venv/tested ## Lint, formatting, types, and who imports whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

coverage: .venv/tested build/libdatachannel ## Run the tests, and see that enough branches were taken
	$(BIN)/coverage erase
	$(subst python -m,coverage run -m,$(PYTEST))
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	$(BIN)/python -m tests.project.coverage_floors

versions: .venv/tested ## Run the tests with each supported Python (VERSIONS="3.11 3.13": with some), and with the oldest and newest dependencies
	.ci/versions

soak: .venv/tested ## Put honest and hostile load on a real server and see that nothing stays; SECONDS=300 of it
	$(BIN)/python -m tests.soak.soak $(SECONDS)

soak-home: .venv/tested ## Let clients come to the home's agent and go, and see that nothing stays; SECONDS=300 of it
	$(BIN)/python -m tests.soak.home $(SECONDS)

field: .venv/tested build/libdatachannel ## Do to calls what today's homes and networks do, at their real times: some four minutes
	$(BIN)/python -m tests.soak.field

fuzz: .venv/tested ## Send nonsense to a server in memory, other nonsense each time; SECONDS=300 of it
	FUZZ_SECONDS=$(SECONDS) $(BIN)/python -m pytest --timeout=0 tests/model/test_fuzz.py

model: .venv/tested ## Play other games against the models than the tests do; GAMES=500 of each kind, SEED=N those of N again
	$(BIN)/python -m tests.model.play $(GAMES) $(SEED)

bench: .venv/tested benchmarks/peers/node_modules/installed ## Measure what this server costs, against the same relay on Node; ARGS="--quick ..." are its options
	$(BIN)/python -m benchmarks $(ARGS)

changelog: .venv/tested ## Show what changelog.d says; with VERSION=1.2.3 move it into CHANGELOG.md
	$(BIN)/towncrier build $(if $(VERSION),--yes,--draft) --version '$(or $(VERSION),next)'

hooks: .venv/tested ## Have git check each commit before it is made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[hooks]'
	$(BIN)/pre-commit install

requirements: .venv/tested ## Pin the newest of what the image installs, by hashes
	$(PIN) --extra acme --extra cluster --extra home --extra proof --extra web-app --output-file requirements.txt setup.cfg
	echo 'setuptools>=70.1' | $(PIN) --output-file requirements-build.txt -

clean: ## Remove what the other targets made
	rm -rf .venv build *.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis _trial_temp* benchmarks/peers/node_modules

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/installed: setup.cfg pyproject.toml | .venv/bin/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

build/libdatachannel: .ci/libdatachannel
	.ci/libdatachannel

# uv takes a fifth of the time. It doesn't read pip's configuration: where only pip knows the way to an index, pip does it.
# A third of what it installs ever runs, and is compiled by `compiled`.
.venv/tested: setup.cfg pyproject.toml Makefile | .venv/bin/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile 'uv>=0.9' && \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[test,lint]' || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	touch .venv/installed $@

benchmarks/peers/node_modules/installed: benchmarks/peers/package-lock.json
	@command -v npm >/dev/null || { echo 'make bench needs Node.js 18 or newer with npm: https://nodejs.org' >&2; exit 1; }
	cd benchmarks/peers && npm ci --silent --no-audit --no-fund
	touch $@
