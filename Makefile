# Every target sets up what it needs by itself, once; see tools/setup.
.DEFAULT_GOAL := help
.PHONY: help demo test compat faults fuzz bench bench-server format lock clean

help: ## what there is
	@echo "Killick: container images by digest."
	@echo
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: ## one story, for real: a tag is overwritten, and nothing is lost (KEEP=1 keeps what it made)
	@tools/setup run
	@.venv/bin/python demo/golftrack.py

test: ## format, lint, types and all tests that need nothing but Python
	@tools/check

compat: ## tests against real peers: docker, skopeo, crane and others, as far as installed
	@tools/setup dev
	@.venv/bin/pytest tests/compat

faults: ## killed, cut off and filled up: is all there? (LONG=1 for every point; as root for power cuts)
	@tools/setup dev
	@PYTHONPATH=tests .venv/bin/python -m faults $(if $(LONG),--long) $(FAULTS)

fuzz: ## every parser under bytes that nobody meant well with (SECONDS=60 each; FUZZ=--only=tar)
	@tools/fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(FUZZ)

bench: ## speed beside crane, skopeo and docker, as far as installed (BENCH=--quick for small sizes)
	@tools/setup run
	@.venv/bin/python bench/run.py $(BENCH)

bench-server: ## the served registry beside distribution: wrk, crane (BENCH=--quick for small sizes)
	@tools/setup run
	@.venv/bin/python bench/server.py $(BENCH)

format: ## the formatter, and the linter's safe fixes
	@tools/setup dev
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .

lock: ## make requirements/*.txt anew from pyproject.toml
	@tools/lock

clean: ## remove what was made here: environment, caches, build and coverage files
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist htmlcov
	rm -f .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
