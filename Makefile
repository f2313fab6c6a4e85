# stratus.cloud: everything a person types. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
INVENTORY ?= inventories/lab
# Tests that share nothing run two at a time; `make unit BESIDE=` one after another.
BESIDE ?= --numprocesses 2 --dist worksteal
LINK := $(VENV)/collections/ansible_collections/stratus/cloud
# The tools of the checkout come first, and Python's own notices stay out of an operator's sight.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Compiled Python is kept, away from the sources: without it every module call compiles its libraries anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache

.PHONY: e2e
.PHONY: help venv demo test lint unit sanity contract integration molecule molecule-down lab-up lab-status lab-down build importer docs live bench clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

venv: $(VENV)/.installed ## install the tools into the checkout's .venv

$(VENV)/.installed: requirements/runtime.txt requirements/tests.txt requirements/tools.txt
	@# Debian's python3 comes without venv's ensurepip.
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv >/dev/null; } || \
	  { echo "$(PYTHON) has no ensurepip: install python3-venv and try again."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -r requirements/tools.txt
	mkdir -p $(dir $(LINK))
	ln -sfn $(CURDIR) $(LINK)
	touch $@

demo: lab-check venv ## lab up, the whole cloud on it, and the access report
	@$(MAKE) --no-print-directory lab-up
	ansible-playbook -i inventories/lab playbooks/site.yml

.PHONY: lab-check
lab-check:
	@[ "$$(id -u)" = 0 ] || [ "$${LAB_HOSTS:-1}" = 0 ] || { echo "The lab makes hosts and bridges on this machine and needs root: run 'sudo make demo'. Only its network faces, unprivileged: 'LAB_HOSTS=0 make lab-up'."; exit 1; }

lab-up: lab-check venv ## start the lab (LAB_HOSTS=0: only its network faces, unprivileged, on loopback)
	@python -m lab up

lab-status: venv ## where everything of the lab is
	@python -m lab status

lab-down: venv ## stop the lab and prove that nothing is left
	@python -m lab down

test: venv ## every test but the longest, which it names
	tests/run

lint: venv ## ruff, yamllint, ansible-lint (production profile)
	ruff check .
	ruff format --check .
	yamllint --strict .
	antsibull-changelog lint
	ansible-lint --offline

unit: venv ## unit tests
	pytest tests/unit --timeout 120 $(BESIDE)

contract: venv ## replay the recordings of a real region against the lab's
	pytest tests/contract --timeout 120

integration: venv ## modules against the lab's faces on loopback
	pytest tests/integration --timeout 600 --durations 12 $(BESIDE)

molecule: lab-check venv ## the host roles on real hosts (one scenario: make molecule SCENARIO=postgres)
	@molecule/run $(SCENARIO)

molecule-down: venv ## take away molecule's hosts that a run left behind, and prove that nothing is left
	@python -m lab.hosts.standalone down

e2e: lab-check venv ## all of the end-to-end tests on one lab with hosts, and what a short run of the others leaves out (an hour)
	STRATUS_FULL=1 pytest tests/e2e -v
	STRATUS_FULL=1 pytest tests/integration -m long --timeout 1500

sanity: venv ## ansible-test sanity on the built collection
	tests/sanity

.PHONY: matrix
matrix: ## unit tests and sanity on the oldest and the newest ansible-core, Python 3.11 to 3.13
	tests/matrix

build: venv ## the collection's tarball, into build/
	mkdir -p build
	ansible-galaxy collection build --force --output-path build .

importer: build ## Galaxy's own checks (galaxy-importer) on the tarball
	tests/importer

docs: venv ## the documentation, built strictly, into build/docs/html
	rm -rf build/docs && mkdir -p build/docs/source/reference && chmod 755 build/docs/source/reference
	cp -r docs/. build/docs/source
	antsibull-docs collection --use-current --squash-hierarchy --fail-on-error --dest-dir build/docs/source/reference stratus.cloud
	STRATUS_CHECKOUT='$(CURDIR)' sphinx-build --fail-on-warning --keep-going -q -b html build/docs/source build/docs/html
	@echo "build/docs/html/index.html"

live: venv ## the module tests on your own region or cloud: with MAAS_URL and MAAS_API_KEY exported, or OS_CLOUD
	pytest tests/live -v -rs -s

bench: venv ## what waiting costs a region, and what a module call costs (build/bench/)
	python benchmarks/maas.py
	python benchmarks/juju.py

.PHONY: bench-site
bench-site: lab-check venv ## how near site.yml comes to the critical path, on a lab with hosts (half an hour; build/bench/site.json)
	python benchmarks/site.py

.PHONY: chaos
chaos: lab-check venv ## faults, kills and power cuts on the lab (build/chaos.json); a part of it: make chaos ONLY="hook-error site"
	python -m tests.chaos $(ONLY)

.PHONY: rehearse
rehearse: venv ## run an inventory against a lab made of it: make rehearse INVENTORY=path
	@python -m lab.rehearsal $(INVENTORY)

clean: ## remove what was built (the lab must be down)
	rm -rf build .pytest_cache .ruff_cache
