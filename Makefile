.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.venv/installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "Python 3.11 or newer is needed; name it with make PYTHON=…"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

run: .venv/installed  ## start everything: web, worker, beat, Flower, sandbox
	@python -m ts_air_cargo.development

test: .venv/installed  ## run every test
	python -m pytest -n auto --dist loadgroup

faults: .venv/installed  ## kill the system at every step, count what is lost or doubled, write docs/reliability.md
	python -m tests.faults --messages 10000 --write docs/reliability.md

bench: .venv/installed  ## measure everything beside other ways of sending, write docs/performance.md (long)
	python -m benchmarks --write docs/performance.md

lint: .venv/installed  ## style, types, imports, migrations, translations
	ruff format --check .
	ruff check .
	lint-imports
	mypy .
	python manage.py makemigrations --check --dry-run
	python manage.py translations

format: .venv/installed  ## put the code in shape
	ruff format .
	ruff check --fix .

translations: .venv/installed  ## put new texts into the catalogues, and compile them
	python manage.py translations --write

lock: .venv/installed  ## lock the requirements anew
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links requirements-dev.in -o requirements-dev.txt

.PHONY: help run test faults bench lint format translations lock
