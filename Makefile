# One command, one truth: what a person types is what `.ci/run` runs.
PY ?= $(shell command -v python3.11 || command -v python3)
V := .venv
BIN := $(V)/bin
SEED ?= 1
SOAK ?= 3450
SECONDS ?= 3600
export PYTHONDONTWRITEBYTECODE :=
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo browser test coverage check format lint types bench soak interop docs wheel lock clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(V)/.ok: requirements.lock pyproject.toml
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: apt-get install python3.11 python3.11-venv"; exit 1; }
	@$(PY) -m venv $(V) || { echo "first: apt-get install python3.11-venv"; exit 1; }
	@$(BIN)/python -m pip -q install 'uv>=0.13,<0.14'
	@# Bytecode now: Python would write it at the first start, and cut it on a full disk.
	@$(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@$(BIN)/python -m compileall -q screen kernels plates
	@touch $@

setup: $(V)/.ok ## only install: .venv from the hashed lock

demo: $(V)/.ok ## simulate, train, score, call and report a virtual screen (SEED=7 makes another)
	@$(BIN)/python -m screen.demo seed=$(SEED)

browser: ## Debian's Chromium for the tests of pages, where this user may install it
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update && apt-get -qq install -y chromium chromium-driver >/dev/null; } || echo "no Chromium, so the tests of pages are skipped: apt-get install chromium chromium-driver"

test: $(V)/.ok browser ## run every test
	@$(BIN)/python -m pytest -q --durations=20 -n 2 --dist loadfile

KEPT := ledger lock commit hangs memory score score_columns status tiles
CAUGHT := storage storage_files storage_lock storage_reads runs devices
NOT_HERE := killed_at_every or for_real or ended_all_the_same or nohup or second_signal or F09 or F10 or F16

coverage: $(V)/.ok ## every branch of what commits, resumes, locks and sets wells aside is tested
	@$(BIN)/coverage run -m pytest -q -m "not slow and not long" -k "not ($(NOT_HERE))" $(KEPT:%=tests/test_screen_%.py) $(CAUGHT:%=tests/test_catalogue_%.py)
	@$(BIN)/coverage report

format: $(V)/.ok ## rewrite the code in house format
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

lint: $(V)/.ok ## format and lint, changing nothing
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(V)/.ok ## mypy, strict
	@$(BIN)/mypy

check: lint types test ## format, lint, types, tests

bench: $(V)/.ok ## run every bench (BENCH_ARGS=--quick for a short look)
	@set -e; for b in bench/bench_*.py; do echo "== $$b"; $(BIN)/python $$b $(BENCH_ARGS); done

docs: $(V)/.ok ## write docs/codes.md from the registry of codes
	@$(BIN)/python -m screen.codes_page

soak: $(V)/.ok ## the long tests, spoilt plate maps (SOAK=345 for fewer), an hour of faults (SECONDS=600)
	@$(BIN)/python -m pytest -q -m long
	@$(BIN)/python -m tests.soak_maps $(SOAK)
	@$(BIN)/python bench/soak.py --seconds $(SECONDS)

interop: $(V)/.ok ## our plates in other tools' readers, in an environment of their own
	@test -x .venv-interop/bin/python || $(PY) -m venv .venv-interop
	@$(BIN)/uv pip install -q --python .venv-interop/bin/python -e '.[dev,interop]'
	@.venv-interop/bin/python -m pytest -q tests/test_plates_interop.py -rs

wheel: $(V)/.ok ## build the wheel, install it in a scratch environment and use it from /
	@bash bench/try_wheel.sh $(BIN)

lock: $(V)/.ok ## resolve requirements.lock anew, with hashes
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --extra dev pyproject.toml -o requirements.lock

clean: ## remove the environment, demo outputs and caches
	@rm -rf $(V) .venv-interop campaigns runs models dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
