"""Approving a plan: what was shown is what is passed on, whichever way Airflow waits.

How Airflow 3.1 and 3.2 wait (they defer to a trigger) is emulated call by call, with every version: ``execute`` in one
process, then ``execute_complete`` of a new operator whose template fields are rendered again. The wait through Airflow
itself is in ``tests/example_dags/test_billing_with_approval.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from airflow.providers.standard.operators import hitl
from airflow.sdk import DAG
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.files import RunFolder
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.run import BillingRun, PlanResult
from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.operators.approval import RunMyAccountsApprovePlanOperator
from tests.support.airflow_versions import HAS_AIRFLOW_33, WAYS_TO_WAIT, DownstreamTasksSkipped
from tests.support.fake_client import FakeClient
from tests.support.invoices import make_invoice

HASH = "0a" * 32


@dataclass
class FakeTaskInstance:
    """What the operator uses of a task instance; it outlives the processes of its task."""

    map_index: int = -1
    id: str = "0190"
    dag_id: str = "billing"
    run_id: str = "run"
    task_id: str = "approve"
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.xcoms.get(key)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The questions that were put to a person."""
    questions: list[dict[str, Any]] = []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **question: questions.append(question))
    return questions


@pytest.fixture(params=WAYS_TO_WAIT.values(), ids=WAYS_TO_WAIT.keys())
def way_to_wait(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[BaseException]:
    if HAS_AIRFLOW_33:
        monkeypatch.setattr(hitl, "AIRFLOW_V_3_3_PLUS", request.param is not TaskDeferred)
    way: type[BaseException] = request.param
    return way


@pytest.fixture
def make_plan(tmp_path: Path) -> Callable[..., PlanResult]:
    def plan(*records: dict[str, Any]) -> PlanResult:
        client = FakeClient(customers=[{"customernumber": "K-001"}])
        engine = open_engine(f"sqlite:///{tmp_path / 'journal.db'}")
        journal = Journal(engine, base_url="http://rma.example", tenant="demo", kind="invoice", run="run")
        folder = RunFolder(LocalFileSystem(), str(tmp_path / "run"), str(tmp_path / "run"))
        return BillingRun(InvoiceKind(client.as_client(), Policy()), journal, folder).plan(records)

    return plan


def begin(plan: Any, plan_hash: Any, **options: Any) -> Any:
    """A process that runs the task: the operator as the DAG file makes it, rendered."""
    with DAG("billing", schedule=None):
        return RunMyAccountsApprovePlanOperator(task_id="approve", plan=plan, plan_hash=plan_hash, **options)


def event(option: str = "Approve", person: str | None = "Controller") -> dict[str, Any]:
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "7", "name": person} if person else None,
    }


def context(ti: FakeTaskInstance, task: Any) -> Any:
    return {"ti": ti, "task_instance": ti, "task": task}


def wait(ti: FakeTaskInstance, operator: Any, way: type[BaseException]) -> None:
    with pytest.raises(way) as waiting:
        operator.execute(context(ti, operator))
    assert waiting.value.method_name == "execute_complete"  # type: ignore[attr-defined]


def test_the_plan_is_kept_before_the_wait_and_read_from_there_after_it(
    make_plan: Callable[..., PlanResult], asked: list[dict[str, Any]], way_to_wait: type[BaseException]
) -> None:
    ti, shown = FakeTaskInstance(), make_plan(make_invoice(), make_invoice(), {"invnumber": "R-X"})
    wait(ti, begin(shown.path, shown.digest), way_to_wait)
    assert ti.xcoms == {"plan": shown.path, "plan_hash": shown.digest}
    (question,) = asked
    assert question["subject"] == "Book 2 of 3 documents in Run my Accounts, CHF 216.20?"
    assert question["body"] == shown.markdown
    assert Path(shown.path.replace(".ndjson", ".md")).read_text(encoding="utf-8") == question["body"]
    # The plan task was cleared meanwhile: the templates now render to another plan.
    other = make_plan(make_invoice(expected_amount="108.10"))
    again = begin(other.path, other.digest)
    answer = again.execute_complete(context(ti, again), event())
    assert (answer["plan"], answer["plan_hash"], answer["approver"]) == (shown.path, shown.digest, "Controller")
    assert answer["chosen_options"] == ["Approve"]
    assert answer["responded_by_user"] == {"id": "7", "name": "Controller"}


def test_a_template_that_cannot_be_rendered_any_more_does_not_matter_after_the_wait(
    make_plan: Callable[..., PlanResult], asked: list[dict[str, Any]], way_to_wait: type[BaseException]
) -> None:
    ti, shown = FakeTaskInstance(), make_plan(make_invoice())
    wait(ti, begin(shown.path, shown.digest), way_to_wait)
    again = begin("{{ nothing['plan'] }}", "{{ nothing['plan_hash'] }}", subject="{{ nothing['count'] }}")
    again.render_template_fields(context(ti, again))
    answer = again.execute_complete(context(ti, again), event())
    assert answer["plan_hash"] == shown.digest


def test_templates_are_rendered_before_the_wait(asked: list[dict[str, Any]]) -> None:
    operator = begin("{{ path }}", "{{ digest }}", subject="{{ path }}?")
    values = context(FakeTaskInstance(), operator) | {"path": "/x", "digest": HASH}
    operator.render_template_fields(values)
    assert (operator.plan, operator.plan_hash, operator.subject) == ("/x", HASH, "/x?")


def test_a_default_that_was_taken_without_an_answer_has_no_approver(
    make_plan: Callable[..., PlanResult], asked: list[dict[str, Any]], way_to_wait: type[BaseException]
) -> None:
    ti, shown = FakeTaskInstance(), make_plan(make_invoice())
    operator = begin(shown.path, shown.digest, defaults="Approve")
    wait(ti, operator, way_to_wait)
    assert operator.execute_complete(context(ti, operator), event(person=None))["approver"] == ""


def test_a_rejection_skips_what_comes_after(
    make_plan: Callable[..., PlanResult], asked: list[dict[str, Any]], way_to_wait: type[BaseException]
) -> None:
    ti, shown = FakeTaskInstance(), make_plan(make_invoice())
    with DAG("billing", schedule=None):
        operator = RunMyAccountsApprovePlanOperator(task_id="approve", plan=shown.path, plan_hash=shown.digest)
        operator >> RunMyAccountsApprovePlanOperator(task_id="next", plan=shown.path, plan_hash=shown.digest)
    wait(ti, operator, way_to_wait)
    with pytest.raises(DownstreamTasksSkipped):
        operator.execute_complete(context(ti, operator), event("Reject"))


def test_an_answer_to_a_question_that_is_not_known_approves_nothing() -> None:
    operator = begin("/x", HASH)
    with pytest.raises(AirflowFailException, match="which plan was shown is not known any more"):
        operator.execute_complete(context(FakeTaskInstance(), operator), event())


@pytest.mark.parametrize("part", ["plan", "plan_hash"])
def test_a_plan_that_another_task_has_not_left_is_not_shown(
    make_plan: Callable[..., PlanResult], asked: list[dict[str, Any]], part: str
) -> None:
    shown = make_plan(make_invoice())
    for value, problem in ((None, "has left none"), ("", "must be"), ("None", "must be")):
        operator = begin("{{ path }}", "{{ digest }}")
        operator.plan, operator.plan_hash = shown.path, shown.digest
        setattr(operator, part, value)
        ti = FakeTaskInstance()
        with pytest.raises(AirflowFailException, match=f"{part}.*{problem}"):
            operator.execute(context(ti, operator))
        assert (ti.xcoms, asked) == ({}, [])


def test_a_plan_that_is_gone_or_was_changed_is_not_shown(
    make_plan: Callable[..., PlanResult], asked: list[dict[str, Any]]
) -> None:
    shown, ti = make_plan(make_invoice()), FakeTaskInstance()
    for operator, problem in (
        (begin(shown.path, HASH), "not the one that plan_hash names"),
        (begin(f"{shown.path}x", shown.digest), "there is no file"),
        (begin(shown.page, shown.digest), "cannot be read"),
    ):
        with pytest.raises(AirflowFailException, match=problem):
            operator.execute(context(ti, operator))
    assert (ti.xcoms, asked) == ({}, [])


@pytest.mark.parametrize(
    ("plan", "plan_hash"),
    [("", HASH), (None, HASH), ("None", HASH), (7, HASH), ("/x", ""), ("/x", None), ("/x", "None"), ("/x", "abc")],
)
def test_what_is_no_plan_is_refused_when_the_dag_is_parsed(plan: Any, plan_hash: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be"):
        begin(plan, plan_hash)
