"""The command line over a real journal file and a running simulator."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from tests.support.simulator import SimulatorProcess


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("books") / "books.db", args=["--duplicates", "accept"]) as process:
        yield process


@dataclass
class Desk:
    """The desk of a person on call: an Airflow home, a connection, and the command line."""

    simulator: SimulatorProcess
    home: Path
    monkeypatch: pytest.MonkeyPatch

    def connect(self, conn_id: str = "rma_default", **fields: Any) -> None:
        values = {
            "conn_type": "rma",
            "host": self.simulator.url,
            "schema": self.simulator.tenant,
            "password": self.simulator.token,
        } | fields
        self.monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(values))

    def run(self, *arguments: str) -> Result:
        from airflow_provider_rma.cli.main import rma

        result = CliRunner().invoke(rma, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str, exit_code: int = 0) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    def journal(
        self, kind: str = "invoice", *, tenant: str = "demo", clock: Callable[[], float] | None = None
    ) -> Journal:
        engine = open_engine(f"sqlite:///{self.home / 'rma' / 'journal.db'}")
        return Journal(
            engine, base_url=self.simulator.url, tenant=tenant, kind=kind, run="billing/manual/invoices", clock=clock
        )


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
