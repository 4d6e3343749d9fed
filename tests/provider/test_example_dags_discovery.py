"""Airflow offers the example DAGs of this installation, as files it can read."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager

from tests.support.airflow_versions import HAS_AIRFLOW_32
from tests.support.reference import ROOT


@pytest.mark.skipif(not HAS_AIRFLOW_32, reason="Airflow 3.1 offers no examples of providers")
def test_airflow_finds_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "True")
    bundles = {bundle.name: bundle for bundle in DagBundlesManager().get_all_dag_bundles()}
    folder = Path(bundles["airflow-provider-rma-example-dags"].path)
    assert folder.samefile(ROOT / "example_dags")
    assert (folder / "nightly_billing.py").is_file()


def test_they_are_not_offered_unasked() -> None:
    assert "airflow-provider-rma-example-dags" not in {
        bundle.name for bundle in DagBundlesManager().get_all_dag_bundles()
    }
