"""The example with a person between plan and booking, answered as a person would."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.airflow_versions import HAS_AIRFLOW_33
from tests.support.reference import ROOT
from tests.support.simulator import SimulatorProcess

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(not HAS_AIRFLOW_33, reason="dag.test() before Airflow 3.3 waits in line: nobody can answer"),
]


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
    from tests.support.airflow_versions import DagBag

    bag = DagBag(ROOT / "example_dags" / "billing_with_approval.py")
    assert not bag.import_errors
    return bag.dags["billing_with_approval"]


class Person:
    """Who answers, as Airflow's API knows a user."""

    def get_id(self) -> str:
        return "7"

    def get_name(self) -> str:
        return "Controller"


def answer(option: str, seen: dict[str, Any], stop: threading.Event, before: Callable[[Any], None]) -> None:
    """Wait for the question and answer it with what Airflow's API calls for it; give the run up after a while.

    :param before: does something with the waiting task while the person looks at the question.
    """
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
        if waiting is not None:
            before(waiting)
            with create_session() as session:
                payload = UpdateHITLDetailPayload(chosen_options=[option], params_input={})
                update_hitl_detail(waiting.dag_id, waiting.run_id, waiting.task_id, payload, Person(), session)
                return
        if time.monotonic() > end:
            with create_session() as session:
                session.query(DagRun).filter_by(dag_id="billing_with_approval").update({"state": "failed"})
                return


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three invoices of CHF 100, and one that is none."""
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
    return source


@pytest.fixture
def go(simulator: SimulatorProcess, run_dag: Callable[..., Any], source: Path) -> Callable[..., Any]:
    def run(option: str, before: Callable[[Any], None] = lambda waiting: None) -> tuple[Any, dict[str, Any]]:
        seen: dict[str, Any] = {}
        stop = threading.Event()
        person = threading.Thread(target=answer, args=(option, seen, stop, before))
        person.start()
        try:
            return run_dag(load(), run_conf={"source": source.as_uri()}), seen
        finally:
            stop.set()
            person.join()

    return run


def test_what_a_person_approves_is_booked_and_who_did_it_is_in_the_evidence(
    go: Callable[..., Any], simulator: SimulatorProcess, tmp_path: Path
) -> None:
    run, seen = go("Approve")
    # One record of four was invalid: it is named in the plan, a person has approved the others, and the run ends green.
    assert run.state == "success"
    assert seen["subject"] == "Book 3 of 4 documents in Run my Accounts, CHF 300.00?"
    assert "AP-9" in seen["body"]
    assert "Vertraulich" not in seen["body"]
    assert [len(simulator.documents(f"AP-{number}")) for number in range(3)] == [1, 1, 1]
    (evidence,) = (tmp_path / "storage" / "demo" / "evidence").glob("*.json")
    facts = json.loads(evidence.read_text(encoding="utf-8"))
    assert facts["approver"] == "Controller"
    assert facts["plan_hash"]
    assert facts["counts"] == {"created": 3, "invalid": 1}


def test_what_a_person_rejects_is_not_booked(go: Callable[..., Any], simulator: SimulatorProcess) -> None:
    run, _ = go("Reject")
    states = {ti.task_id: ti.state for ti in run.get_task_instances()}
    assert states == {"plan": "success", "approve": "success", "book": "skipped"}
    assert simulator.documents("AP-0") == []


def clear_plan(waiting: Any) -> None:
    """Clear the plan task, as a person does in the UI, and wait until it has run again."""
    from airflow.models.taskinstance import TaskInstance, clear_task_instances  # noqa: TID251 - as the UI does it
    from airflow.utils.session import create_session

    def plan(session: Any) -> Any:
        return session.query(TaskInstance).filter_by(run_id=waiting.run_id, task_id="plan").one()

    with create_session() as session:
        tried = plan(session).try_number
        clear_task_instances([plan(session)], session, dag_run_state=False)
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with create_session() as session:
            again = plan(session)
            if again.try_number > tried and again.state == "success":
                return
        time.sleep(0.2)
    raise AssertionError("the plan task did not run again")


def test_a_plan_that_is_made_again_while_a_person_looks_changes_nothing_of_what_is_booked(
    go: Callable[..., Any], simulator: SimulatorProcess, tmp_path: Path, source: Path
) -> None:
    records = json.loads(source.read_text(encoding="utf-8"))

    def make_another_plan(waiting: Any) -> None:
        dear = [{"amount": "90000.00", "income_accno": "3400"}]
        others = [record | {"incomeentries": dear} for record in records[:3]]
        source.write_text(json.dumps(others), encoding="utf-8")
        clear_plan(waiting)

    run, seen = go("Approve", make_another_plan)
    states = {ti.task_id: ti.state for ti in run.get_task_instances()}
    assert states == {"plan": "success", "approve": "success", "book": "success"}
    assert "CHF 300.00" in seen["subject"]
    booked = [document for number in range(3) for document in simulator.documents(f"AP-{number}")]
    assert [Decimal(document["netamount"]) for document in booked] == [Decimal(100)] * 3
    (evidence,) = (tmp_path / "storage" / "demo" / "evidence").glob("*.json")
    facts = json.loads(evidence.read_text(encoding="utf-8"))
    plans = {path.stem.removeprefix("plan-"): path for path in (tmp_path / "storage").rglob("plan-*.ndjson")}
    assert len(plans) == 2
    assert facts["approver"] == "Controller"
    assert facts["plan_hash"][:16] in seen["body"]
    assert '"amount": "300.00"' in plans[facts["plan_hash"]].read_text(encoding="utf-8")
    assert simulator.control("GET", "/requests")["received"]["POST /invoices"] == 3
