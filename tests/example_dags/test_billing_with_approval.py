"""The example with a person between plan and booking, answered as a person would."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.reference import ROOT
from tests.support.simulator import SimulatorProcess

pytestmark = pytest.mark.airflow


@pytest.fixture
def simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path / "books.db", args=["--duplicates", "accept"]) as process:
        connection = {
            "conn_type": "rma",
            "host": process.url,
            "schema": process.tenant,
            "password": process.token,
            "extra": {"allow_writes": True},
        }
        monkeypatch.setenv("AIRFLOW_CONN_RMA_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW__RMA__STORAGE_PATH", (tmp_path / "storage").as_uri())
        yield process


def load() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(ROOT / "example_dags" / "billing_with_approval.py")
    assert not bag.import_errors
    return bag.dags["billing_with_approval"]


class Person:
    """Who answers, as Airflow's API knows a user."""

    def get_id(self) -> str:
        return "7"

    def get_name(self) -> str:
        return "Controller"


def answer(option: str, seen: dict[str, Any], stop: threading.Event) -> None:
    """Wait for the question and answer it with what Airflow's API calls for it; give the run up after a minute."""
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.dagrun import DagRun  # noqa: TID251 - the metadata database itself is meant
    from airflow.models.hitl import HITLDetail  # noqa: TID251
    from airflow.models.taskinstance import TaskInstance  # noqa: TID251
    from airflow.utils.session import create_session

    end = time.monotonic() + 180
    while not stop.wait(0.2):
        with create_session() as session:
            waiting = session.query(TaskInstance).filter_by(task_id="approve", state="awaiting_input").first()
            if waiting is not None:
                question = session.get(HITLDetail, waiting.id)
                seen["subject"], seen["body"] = question.subject, question.body
                payload = UpdateHITLDetailPayload(chosen_options=[option], params_input={})
                update_hitl_detail(waiting.dag_id, waiting.run_id, waiting.task_id, payload, Person(), session)
                return
            if time.monotonic() > end:
                session.query(DagRun).filter_by(dag_id="billing_with_approval").update({"state": "failed"})
                return


@pytest.fixture
def go(simulator: SimulatorProcess, run_dag: Callable[..., Any], tmp_path: Path) -> Callable[[str], Any]:
    source = tmp_path / "invoices.json"
    records = [
        {
            "invnumber": f"AP-{number}",
            "customernumber": "K-001",
            "transdate": "2026-09-15",
            "notes": "Vertraulich",
            "incomeentries": [{"amount": "100.00", "income_accno": "3400"}],
        }
        for number in range(3)
    ]
    source.write_text(json.dumps([*records, {"invnumber": "AP-9"}]), encoding="utf-8")

    def run(option: str) -> tuple[Any, dict[str, Any]]:
        seen: dict[str, Any] = {}
        stop = threading.Event()
        person = threading.Thread(target=answer, args=(option, seen, stop))
        person.start()
        try:
            return run_dag(load(), run_conf={"source": source.as_uri()}), seen
        finally:
            stop.set()
            person.join()

    return run


def test_what_a_person_approves_is_booked_and_who_did_it_is_in_the_evidence(
    go: Callable[[str], Any], simulator: SimulatorProcess, tmp_path: Path
) -> None:
    run, seen = go("Approve")
    # One record of four was invalid: it is named in the plan, the others are booked, and the run ends red.
    assert run.state == "failed"
    assert seen["subject"] == "Book 3 documents in Run my Accounts?"
    assert "AP-9" in seen["body"]
    assert "Vertraulich" not in seen["body"]
    assert [len(simulator.documents(f"AP-{number}")) for number in range(3)] == [1, 1, 1]
    (evidence,) = (tmp_path / "storage" / "demo" / "evidence").glob("*.json")
    facts = json.loads(evidence.read_text(encoding="utf-8"))
    assert facts["approver"] == "Controller"
    assert facts["plan_hash"]
    assert facts["counts"] == {"created": 3, "invalid": 1}


def test_what_a_person_rejects_is_not_booked(go: Callable[[str], Any], simulator: SimulatorProcess) -> None:
    run, _ = go("Reject")
    states = {ti.task_id: ti.state for ti in run.get_task_instances()}
    assert states == {"plan": "success", "approve": "success", "book": "skipped"}
    assert simulator.documents("AP-0") == []
