# make run    set up what is missing, then the main job on the demo site or on your music
# make test   set up what is missing, then all tests
# make dev    the Dagster UI on http://127.0.0.1:3000 (or PORT=), with the demo site behind it
# make check  lint, format, imports between rooms and types
# make setup  only what the others do first; make clean removes the environment

PYTHON ?= python3
SOURCE ?=
TASK ?=
MODELS ?=
SWEEP ?=
PORT ?= 3000
DEMO_SITE_PORT ?= 8765

UV := $(shell command -v uv 2>/dev/null || echo .venv/bin/uv)
UV_VERSION := 0.13.8
BIN := .venv/bin

export DAGSTER_DISABLE_TELEMETRY := yes

.PHONY: setup browser run test dev check clean

# The environment is rebuilt when the lock changes, and left alone otherwise. Its modules are
# compiled once here: where Python may not write bytecode, as in many containers, each program would
# otherwise compile thousands of them at every start.
setup: .venv/.ready browser

.venv/.ready: uv.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) found: install Python 3.11, 3.12 or 3.13, or say PYTHON=/path/to/python."; exit 1; }
	@command -v uv >/dev/null || test -x .venv/bin/uv || { \
	  echo "Installing uv into .venv"; \
	  $(PYTHON) -m venv .venv && .venv/bin/pip install --quiet uv==$(UV_VERSION); } \
	  || { echo "Could not make .venv: install python3-venv (Debian: apt-get install python3-venv) or uv, then run make again."; exit 1; }
	$(UV) sync --frozen --inexact --compile-bytecode --python $(PYTHON)
	@touch $@

# The scrape needs Chromium and its driver: Debian's, where they may be installed. Where they may
# not, Selenium brings its own if it has a network, so this is a warning and no error.
browser:
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null 2>&1 \
	  && command -v chromedriver >/dev/null 2>&1 \
	  || test -n "$$GENRE_ASSETS_CHROMIUM$$GENRE_ASSETS_CHROMEDRIVER" \
	  || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && { \
	    echo "Installing chromium and chromium-driver"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; }; } \
	  || echo "No Chromium with its driver found: install them (Debian: apt-get install chromium chromium-driver) before you scrape."

run: setup
	$(BIN)/genre-assets run $(if $(SOURCE),--source $(SOURCE)) $(if $(TASK),--task $(TASK)) $(if $(MODELS),--models $(MODELS)) $(if $(SWEEP),--sweep $(SWEEP))

# Three files at a time, for much of a test run waits for browsers and servers, and in their order,
# for the runs of whole assets, which take longest, come first.
test: setup
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

# Without a source of your own the demo site is started, and ends with the UI.
dev: setup
	$(BIN)/genre-assets dev --port $(PORT) --demo-site-port $(DEMO_SITE_PORT)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

# Removes the environment; the lake in data/ is yours to delete.
clean:
	rm -rf .venv
