"""The command line over a real journal file and a running simulator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.desk import Desk
from tests.support.simulator import SimulatorProcess


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("books") / "books.db", args=["--duplicates", "accept"]) as process:
        yield process


@pytest.fixture
def desk(simulator: SimulatorProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    # No line may be folded by the width of whichever terminal the tests run in.
    monkeypatch.setenv("COLUMNS", "200")
    for name in [name for name in os.environ if name.startswith(("AIRFLOW__RMA__", "AIRFLOW_CONN_"))]:
        monkeypatch.delenv(name)
    desk = Desk(simulator, tmp_path, monkeypatch)
    desk.connect()
    return desk
