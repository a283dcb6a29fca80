# Everything a developer or a newcomer needs; `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The lock is complete: without --no-deps pip looks for newer versions of what is asked for with extras.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps --require-hashes

# The embedded default: one machine, development identity. Production sets its own environment.
run check bench migrations messages: export PORTAL_DEBUG ?= true

.PHONY: help setup setup-dev assets run test coverage test-postgres test-cluster check check-security format bench bench-cluster lock migrations messages clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

setup: $(VENV)/run.stamp assets ## Create .venv from the lock file and fetch the assets

setup-dev: $(VENV)/dev.stamp assets ## The same, with what tests and checks need

$(BIN)/python:
	@command -v git >/dev/null || { echo "git is missing. Install it, for example: apt install git"; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing. Install Python 3.11 or newer, or say PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is too old: Python 3.11 or newer is needed. Say PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing. Install it, for example: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.txt | $(BIN)/python
	$(INSTALL) -r requirements/run.txt
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	$(INSTALL) -r requirements/dev.txt
	@touch $@

assets: | $(BIN)/python ## Fetch Wikimedia's Codex styles, by a locked version and hash
	@$(BIN)/python deploy/fetch_assets.py

run: setup ## Set up, migrate and serve the portal
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py load_catalogue --verbosity 0
	@exec $(BIN)/python manage.py up

test: setup-dev ## Run the tests
	$(BIN)/python -m pytest -n auto --dist worksteal

coverage: setup-dev ## The same, and say which lines they do not reach (takes half as long again)
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term

test-postgres: setup-dev ## Run the tests that use a database on PostgreSQL, which comes from pip
	$(BIN)/python -m tests.postgres -n auto --dist worksteal -m "not slow and not browser"

test-cluster: setup-dev ## Run the tests on a real Kubernetes cluster, made for them here (needs Go)
	$(BIN)/python -m tests.cluster build
	$(BIN)/python -m pytest -m cluster -n 2 --dist loadgroup

check: setup-dev ## Format, lint, import contracts, types, migrations, API document, deployment
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	PYTHONPATH=portal/cli $(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml.new
	@cmp docs/openapi.yaml docs/openapi.yaml.new || { echo "docs/openapi.yaml is out of date: mv docs/openapi.yaml.new docs/openapi.yaml"; exit 1; }
	@rm docs/openapi.yaml.new
	env -u PORTAL_DEBUG PORTAL_SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
		PORTAL_ALLOWED_HOSTS=portal.example.org $(BIN)/python manage.py check --deploy --fail-level WARNING

# Keywords and user names in addresses are what tests are made of; the other detectors know secrets.
SECRETS = --disable-plugin KeywordDetector --disable-plugin BasicAuthDetector \
	--exclude-files '^requirements/|package-lock\.json$$|\.png$$'
check-security: setup-dev ## Insecure calls, secrets in the tree, known vulnerabilities of what is locked
	$(BIN)/bandit --quiet -ll --configfile pyproject.toml --recursive portal builds stories
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook $(SECRETS)
	! git grep -nE 'cht_[A-Za-z0-9_-]{40}'
	$(BIN)/python deploy/audit_dependencies.py

format: setup-dev ## Format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev ## Measure; benchmarks/README.md holds the figures
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.tools
	$(BIN)/python -m benchmarks.records

bench-cluster: setup-dev ## Measure the portal on a simulated Kubernetes cluster (needs Go)
	$(BIN)/python -m tests.cluster build
	$(BIN)/python -W ignore -m benchmarks.cluster

migrations: setup-dev ## Write the migrations that the models ask for
	$(BIN)/python manage.py makemigrations

messages: setup-dev ## Collect what people read for a translation, and compile it: LANGUAGE=ar (needs gettext)
	@command -v msgfmt >/dev/null || { echo "gettext is missing. Install it, for example: apt install gettext"; exit 1; }
	@test -n "$(LANGUAGE)" || { echo "Say which language: make messages LANGUAGE=ar"; exit 1; }
	@mkdir -p portal/locale
	$(BIN)/python manage.py makemessages --locale $(LANGUAGE) --no-obsolete --add-location file \
		--ignore 'tests/*' --ignore 'benchmarks/*' --ignore 'examples/*' --ignore 'deploy/*'
	$(BIN)/python manage.py compilemessages --locale $(LANGUAGE)

UV_COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
lock: ## Resolve the dependencies anew (needs uv)
	$(UV_COMPILE) pyproject.toml -o requirements/run.txt
	$(UV_COMPILE) pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt
	$(UV_COMPILE) --group node -o requirements/node.txt

clean: ## Remove what was set up; the state directory stays
	rm -rf $(VENV) node_modules static/vendor
