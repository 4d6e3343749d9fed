"""Kinds of tests: `unit` runs in its own process, `integration` starts services, `system` runs a whole Airflow."""

from __future__ import annotations

from pathlib import PurePath

import pytest

#: Folders of which every test is of the kind `system`.
_SYSTEM_FOLDERS = frozenset({"system", "example_dags", "scripts"})
#: Fixtures that need a migrated Airflow.
_AIRFLOW_FIXTURES = frozenset({"airflow_db", "run_dag"})
#: Fixtures that start a service, or may start one.
_SERVICE_FIXTURES = frozenset(
    {
        "company",
        "database",
        "destination",
        "journal_url",
        "mariadb",
        "postgres",
        "proxy",
        "simulator",
        "trading",
        "warehouse",
    }
)
#: What a module has imported that starts services or processes, or loads a warehouse.
_SERVICE_NAMES = frozenset(
    {
        "PostgresServer",
        "ScriptedServer",
        "SimulatorProcess",
        "TamperingProxy",
        "Warehouse",
        "duckdb",
        "extraction",
        "start",
        "subprocess",
    }
)


def kind_of_test(item: pytest.Item) -> str:
    """Tell the kind of a test by where it lies and by what it uses."""
    fixtures = set(getattr(item, "fixturenames", ()))
    folders = PurePath(item.path).parts
    if item.get_closest_marker("airflow") or fixtures & _AIRFLOW_FIXTURES or _SYSTEM_FOLDERS & set(folders):
        return "system"
    module = getattr(item, "module", None)
    uses_service = fixtures & _SERVICE_FIXTURES or _SERVICE_NAMES & set(vars(module)) or _uses_postgres(item)
    return "integration" if uses_service else "unit"


def _uses_postgres(item: pytest.Item) -> bool:
    """Whether a parameter names PostgreSQL or a driver of it."""
    values = getattr(item, "callspec", None)
    return values is not None and any(
        isinstance(value, str) and value.startswith(("postgres", "psycopg")) for value in values.params.values()
    )


#: Files that take longest, longest first; the others follow by kind.
_LONGEST = ("test_scheduler_retries", "test_demo", "test_airflow_tasks_that_die", "test_killed_processes")
_ORDER = ("system", "integration", "unit")


def order_by_length(items: list[pytest.Item]) -> list[pytest.Item]:
    """Order tests by file, files by how long they take; within a file the order stays."""

    def rank(item: pytest.Item) -> tuple[int, int]:
        name = item.path.stem
        place = _LONGEST.index(name) if name in _LONGEST else len(_LONGEST)
        return place, min(_ORDER.index(mark.name) for mark in item.iter_markers() if mark.name in _ORDER)

    files: dict[object, tuple[int, int]] = {}
    for item in items:
        files[item.path] = min(files.get(item.path, rank(item)), rank(item))
    return sorted(items, key=lambda item: files[item.path])
