PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test lint bench mutate lock clean

setup: .venv/.ready .venv/.catalogs

.venv/.ready: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/.catalogs: .venv/.ready hatch_build.py $(wildcard language/*/LC_MESSAGES/*.po)
	$(BIN)/python hatch_build.py
	touch $@

demo: setup
	$(BIN)/aftersales demo

test: setup
	$(BIN)/python -m pytest -n auto --dist worksteal -p no:cacheprovider

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/.bench: .venv/.ready requirements-bench.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-bench.lock
	touch $@

bench: .venv/.bench
	$(BIN)/python -m bench --charts docs/charts

.venv/.mutate: .venv/.ready requirements-mutate.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-mutate.lock
	touch $@

mutate: .venv/.mutate
	$(BIN)/python -m drills.mutate

lock: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-strip-extras --no-header --no-annotate pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-strip-extras --no-header --no-annotate --extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-strip-extras --no-header --no-annotate --extra dev --extra bench pyproject.toml -o requirements-bench.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-strip-extras --no-header --no-annotate --extra dev --extra mutate pyproject.toml -o requirements-mutate.lock

clean:
	rm -rf .venv demo dist build
