"""The command line as a person on call has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from packaging.version import Version

from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from tests.support.simulator import SimulatorProcess

#: Before 8.2, click mixes standard output and standard error unless told not to.
_APART: dict[str, Any] = {"mix_stderr": False} if Version(version("click")) < Version("8.2") else {}


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

        result = CliRunner(**_APART).invoke(rma, arguments)
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
