"""Every example DAG can be imported."""

from __future__ import annotations

import pytest

from tests.support.reference import ROOT

pytestmark = pytest.mark.airflow


@pytest.mark.usefixtures("airflow_db")
def test_every_example_can_be_imported() -> None:
    from tests.support.airflow_versions import DagBag

    bag = DagBag(dag_folder=ROOT / "example_dags")
    assert bag.import_errors == {}
    files = [path for path in (ROOT / "example_dags").glob("*.py") if path.name != "__init__.py"]
    assert len(bag.dags) >= len(files) > 0
