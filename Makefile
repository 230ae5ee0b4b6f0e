# `make compare` and `make test` are all that is needed on a fresh machine: they find a Python, install the locked packages
# into .venv, and run. Arguments go in ARGS: make compare ARGS="two-coin --seed 3", make test ARGS="-k coins".

RESULTS ?= results
# The Python to make .venv with; where empty, one is looked for.
PYTHON ?=
ARGS ?=

PACKAGES := models em comparisons tests benchmarks docs
INSTALLED := .venv/.installed
# Exit statuses of a run, beside 0 (all is well) and 1 (some verdict is "wrong"). Inconclusive is an answer, not a failure.
INCONCLUSIVE := 3

.PHONY: help compare test lint types docs lock clean
.DEFAULT_GOAL := help

help: ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

compare: $(INSTALLED) ## run the comparisons and write their reports
	@.venv/bin/comparisons run --out "$(RESULTS)" $(ARGS); status=$$?; \
	[ $$status -eq $(INCONCLUSIVE) ] || exit $$status

test: $(INSTALLED) ## run the tests; the long ones, which continuous integration leaves out, with ARGS="-m long"
	.venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(INSTALLED) ## check style and formatting
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: $(INSTALLED) ## check the types
	.venv/bin/mypy

docs: $(INSTALLED) ## make the pages of docs/ a site, notebooks executed; a warning or a broken link within it is an error
	rm -rf docs/_build docs/generated
	.venv/bin/python -m sphinx --quiet --fail-on-warning --keep-going --builder html docs docs/_build/html

lock: $(INSTALLED) ## pin the packages anew after a change of pyproject.toml; all to their newest with ARGS=--upgrade
	.venv/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
	    --no-emit-index-url --no-header --extra dev --output-file requirements.lock $(ARGS) pyproject.toml

clean: ## remove .venv and all caches; the results stay
	rm -rf .venv build dist *.egg-info docs/_build docs/generated .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(wildcard $(PACKAGES)) -name __pycache__ -prune -exec rm -rf {} +

# uv, setuptools and all else come from the lock, by hash; so the project itself is built without fetching anything.
# Byte code is compiled now, since it takes seconds off every start of PyMC.
$(INSTALLED): requirements.lock pyproject.toml
	@{ .ci/find-python .venv/bin/python && .venv/bin/python -m pip --version; } >/dev/null 2>&1 || { \
	    python=$$(.ci/find-python "$(PYTHON)") && echo "Making .venv with $$python" && "$$python" -m venv --clear .venv; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock | \
	    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement /dev/stdin
	.venv/bin/uv pip sync --quiet --python .venv --require-hashes --compile-bytecode requirements.lock
	.venv/bin/uv pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	@touch $@
