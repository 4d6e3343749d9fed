"""A simulator and Airflow connections to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.simulator import SimulatorProcess


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    books = tmp_path_factory.mktemp("books") / "books.db"
    with SimulatorProcess(books, args=["--duplicates", "accept"]) as process:
        yield process


@pytest.fixture
def connect(simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``connect(**changes)`` points ``rma_default`` to the simulator."""

    def set_connection(**changes: Any) -> None:
        connection = {
            "conn_type": "rma",
            "host": simulator.url,
            "schema": simulator.tenant,
            "password": simulator.token,
            "extra": {"allow_writes": True, "read_timeout": 30, "total_deadline": 30},
        }
        connection["extra"] = connection["extra"] | changes.pop("extra", {})
        monkeypatch.setenv("AIRFLOW_CONN_RMA_DEFAULT", json.dumps(connection | changes))

    return set_connection


@pytest.fixture
def rma(connect: Callable[..., None], simulator: SimulatorProcess, tmp_path: Path) -> Iterator[SimulatorProcess]:
    """The simulator, connected as ``rma_default``, without faults."""
    connect()
    simulator.control("DELETE", "/requests")
    yield simulator
    simulator.control("DELETE", "/chaos")


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where outcome files go."""
    folder = tmp_path / "storage"
    monkeypatch.setenv("AIRFLOW__RMA__STORAGE_PATH", folder.as_uri())
    return folder
