# Python 3.11 to 3.13, make and git are all that must be there already.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MEMBERS ?= 20000
SEED ?= 2025
DATA ?= var/season
REGISTER ?=
MEMORY ?= 8GB
PEERS ?=
READY := $(VENV)/.ready

export KAKUNINSHO_DATA := $(DATA)
export DO_NOT_TRACK := 1

.DEFAULT_GOAL := help
.PHONY: help setup season test test-all lint up down screenshots docs bench bench-sizes bench-page format clean

help: ## この一覧 (this list)
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: $(READY) ## .venv を用意する (hash-pinned packages)

$(READY): requirements.lock requirements-bootstrap.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11, 3.12 or 3.13 is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $(READY)

season: $(READY) ## 年度を通して再現し台帳を示す (MEMBERS, SEED, DATA, REGISTER)
	$(BIN)/kakuninsho season --members $(MEMBERS) --seed $(SEED) --data $(DATA) $(if $(REGISTER),--register $(REGISTER))

test: $(READY) ## すべての試験 (slow と browser を除く)
	$(BIN)/python -m pytest -m "not slow and not browser" --numprocesses 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered --cov-fail-under=85

test-all: $(READY) ## 時間のかかる試験も
	$(BIN)/python -m pytest

lint: $(READY) ## ruff, mypy, sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt_project/models dbt_project/tests --processes 2

up: $(READY) ## Airflow の画面 http://localhost:8080 (until `make down`)
	$(BIN)/kakuninsho up --members $(MEMBERS) --seed $(SEED) --data $(DATA)

down: $(READY) ## 止める
	$(BIN)/kakuninsho down --data $(DATA)

.env: # secrets of docker-compose.yaml, made once
	PYTHONPATH=include $(PYTHON) -m kakuninsho.server.compose_env

screenshots: $(READY) ## README の画面を撮り直す (docs/images/, needs chromium)
	$(BIN)/python tests/browser/take_screenshots.py $(if $(wildcard $(DATA)/summary.json),--data $(DATA))

docs: $(READY) ## dbt docs と検査報告を <data>/published/ に
	$(BIN)/kakuninsho docs --data $(DATA)

bench: $(READY) ## 全国規模の計測 (MEMBERS=39700000 MEMORY=8GB PEERS=1, 結果は benchmarks/results)
	$(BIN)/kakuninsho bench $(if $(filter-out file,$(origin MEMBERS)),--members $(MEMBERS)) --seed $(SEED) --memory $(MEMORY) $(if $(PEERS),--peers)

bench-sizes: $(READY) ## 増え方と Airflow の分も計り、頁を書く (about twice the national run)
	$(BIN)/kakuninsho bench --seed $(SEED) --memory $(MEMORY) --members 2000
	$(BIN)/kakuninsho bench --seed $(SEED) --memory $(MEMORY) --members 397000 $(if $(PEERS),--peers)
	$(BIN)/kakuninsho bench --seed $(SEED) --memory $(MEMORY) --members 3970000 $(if $(PEERS),--peers)
	$(BIN)/kakuninsho bench --seed $(SEED) --memory $(MEMORY) --members 39700000 $(if $(PEERS),--peers)
	$(BIN)/kakuninsho bench --seed $(SEED) --memory $(MEMORY) --members 20000 --airflow
	$(BIN)/kakuninsho bench --page

bench-page: $(READY) ## 計測結果から docs/national-scale.md を書く
	$(BIN)/kakuninsho bench --page

benchmarks/.venv: benchmarks/requirements.lock
	$(PYTHON) -m venv $@
	$(BIN)/uv pip install --quiet --python $@/bin/python --require-hashes -r benchmarks/requirements.lock
	touch $@

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## .venv と var を消す
	rm -rf $(VENV) var
