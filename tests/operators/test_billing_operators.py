"""The operators in a real DAG run, against the simulator."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG, task
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.evidence.chain import verify_chain
from airflow_provider_rma.operators.billing import (
    RunMyAccountsCreateCustomersOperator,
    RunMyAccountsCreateInvoicesOperator,
    RunMyAccountsPlanInvoicesOperator,
)
from airflow_provider_rma.operators.cancellation import RunMyAccountsCancelInvoicesOperator
from tests.support.simulator import SimulatorProcess

pytestmark = pytest.mark.airflow

START = pendulum.datetime(2026, 11, 1, tz="Europe/Zurich")
_numbers = count(1)


def invoice(**fields: Any) -> dict[str, Any]:
    return {
        "invnumber": f"OP-{next(_numbers)}",
        "customernumber": "K-001",
        "transdate": "2026-09-15",
        "incomeentries": [{"amount": "100.00", "income_accno": "3400", "description": "{{ not a template }}"}],
    } | fields


def dag(name: str) -> DAG:
    return DAG(name, schedule=None, start_date=START)


def results(run: Any, task_id: str = "bill") -> dict[str, Any]:
    (instance,) = [ti for ti in run.get_task_instances() if ti.task_id == task_id]
    value = instance.xcom_pull(task_ids=task_id)
    return dict(value) if value else {}


def outcomes(result: dict[str, Any]) -> list[dict[str, Any]]:
    path = result["outcome_path"].removeprefix("file://")
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def test_records_given_as_a_list_are_billed_as_they_are(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    record = invoice()
    with dag("list_of_records") as one:
        RunMyAccountsCreateInvoicesOperator(task_id="bill", invoices=[record])
    run = run_dag(one)
    assert run.state == "success"
    result = results(run)
    assert result["counts"] == {"created": 1}
    assert result["total"] == "100.00"
    assert str(storage) in result["outcome_path"]
    (document,) = rma.documents(record["invnumber"])
    assert document["postings"][0]["memo"] == "{{ not a template }}"


def test_the_result_of_an_upstream_task_is_billed_and_not_shown(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    record = invoice(notes="Frau Beispiel, Geheimweg 7")
    with dag("upstream") as one:

        @task
        def erp() -> list[dict[str, Any]]:
            return [record]

        RunMyAccountsCreateInvoicesOperator(task_id="bill", invoices=erp())
    run = run_dag(one)
    assert run.state == "success"
    assert results(run)["counts"] == {"created": 1}
    from airflow.models.renderedtifields import RenderedTaskInstanceFields  # noqa: TID251 - what Airflow stored is meant
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = session.query(RenderedTaskInstanceFields).filter_by(dag_id="upstream", task_id="bill").all()
    assert rows
    assert rows[0].rendered_fields["invoices"] == "<1 records>"
    assert "Geheimweg" not in str([row.rendered_fields for row in rows])


def test_mapping_over_records_delivers_one_at_a_time(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    records = [invoice(), invoice()]
    with dag("mapped") as one:
        RunMyAccountsCreateInvoicesOperator.partial(task_id="bill").expand(invoices=records)
    assert run_dag(one).state == "success"
    assert [len(rma.documents(record["invnumber"])) for record in records] == [1, 1]


@pytest.mark.parametrize("suffix", ["json", "ndjson", "csv", "parquet"])
def test_a_file_is_billed(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any], tmp_path: Path, suffix: str
) -> None:
    number = f"FILE-{suffix}"
    path = tmp_path / f"invoices.{suffix}"
    row = {
        "invnumber": number,
        "customernumber": "K-001",
        "transdate": "2026-09-15",
        "parts__partnumber": "ART-1",
        "parts__quantity": "2",
        "parts__sellprice": "19.95",
    }
    if suffix == "csv":
        path.write_text(f"{','.join(row)}\n{','.join(row.values())}\n", encoding="utf-8")
    elif suffix == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([row]), path)
    else:
        path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with dag(f"file_{suffix}") as one:
        RunMyAccountsCreateInvoicesOperator(task_id="bill", source=path.as_uri())
    assert run_dag(one).state == "success"
    (document,) = rma.documents(number)
    assert Decimal(document["netamount"]) == Decimal("39.90")


def test_customers_then_invoices(rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]) -> None:
    record = invoice(customernumber="OP-K1")
    with dag("both") as one:
        customers = RunMyAccountsCreateCustomersOperator(
            task_id="customers", customers=[{"customernumber": "OP-K1", "name": "Beispiel GmbH"}]
        )
        invoices = RunMyAccountsCreateInvoicesOperator(
            task_id="bill", invoices=[record], customer_outcomes=customers.output["outcome_path"]
        )
        customers >> invoices
    run = run_dag(one)
    assert run.state == "success"
    assert results(run, "customers")["counts"] == {"created": 1}
    result = results(run)
    assert result["counts"] == {"created": 1}
    page = Path(result["page_path"].removeprefix("file://"))
    assert record["invnumber"] in page.read_text(encoding="utf-8")
    # Each run has left a link in the tenant's chain of evidence; links of other tests lie in other folders.
    files = sorted(Path(result["evidence_path"]).parent.glob("*.json"))
    first, second = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    assert str(files[1]) == result["evidence_path"]
    assert (second["previous"], second["hash"]) == (first["hash"], result["evidence_hash"])
    assert second["versions"]["apache-airflow"].startswith("3.")
    findings = verify_chain(LocalFileSystem(), str(files[0].parent))
    assert {finding.kind for finding in findings} <= {"missing"}


def test_a_refused_record_fails_the_task_for_good_and_is_on_file(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    good, bad = invoice(), invoice(transdate="15.09.2026")
    with dag("refused") as one:
        RunMyAccountsCreateInvoicesOperator(task_id="bill", invoices=[bad, good], retries=3)
    run = run_dag(one)
    assert run.state == "failed"
    pushed = results(run)
    assert pushed["counts"] == {"created": 1, "invalid": 1}
    assert Path(pushed["page_path"].removeprefix("file://")).exists()
    (ti,) = run.get_task_instances()
    assert ti.try_number == 1
    (path,) = storage.rglob("rejects.ndjson")
    assert json.loads(path.read_text())["invnumber"] == bad["invnumber"]
    assert len(rma.documents(good["invnumber"])) == 1
    # The corrected file goes through the same operator.
    path.write_text(json.dumps(bad | {"transdate": "2026-09-15"}), encoding="utf-8")
    with dag("corrected") as two:
        RunMyAccountsCreateInvoicesOperator(task_id="bill", source=path.as_uri())
    assert run_dag(two).state == "success"
    assert len(rma.documents(bad["invnumber"])) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"invoices": [{}] * 1001}, "invoices: 1001 records, at most 1000 may be given directly"),
        ({"source": "invoices.xlsx"}, "cannot be read"),
        ({"source": "{{ params.get('nothing', '') }}"}, "source must be a path or a URL, got ''"),
        ({"plan": "{{ None }}"}, "plan must be the path of a plan, got 'None'"),
    ],
)
def test_wrong_arguments_are_refused_with_a_remedy(
    rma: SimulatorProcess,
    storage: Path,
    run_dag: Callable[..., Any],
    arguments: dict[str, Any],
    message: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with dag("wrong_arguments") as one:
        RunMyAccountsCreateInvoicesOperator(task_id="bill", **arguments)
    with caplog.at_level(logging.ERROR):
        assert run_dag(one).state == "failed"
    assert message in caplog.text + capsys.readouterr().out
    assert rma.control("GET", "/requests")["received"].get("POST /invoices") is None


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        ({"password": "pat_wrong"}, "token"),
        ({"schema": "nobody"}, "tenant"),
        ({"host": "http://127.0.0.1:9"}, "connection"),
        ({"extra": {"allow_writes": False}}, "allow_writes"),
        ({"extra": {"alow_writes": True}}, "alow_writes"),
    ],
)
def test_a_wrong_connection_says_what_to_do_and_books_nothing(
    rma: SimulatorProcess,
    connect: Callable[..., None],
    storage: Path,
    run_dag: Callable[..., Any],
    connection: dict[str, Any],
    message: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    connect(**connection)
    record = invoice()
    with dag("wrong_connection") as one:
        RunMyAccountsCreateInvoicesOperator(task_id="bill", invoices=[record])
    with caplog.at_level(logging.ERROR):
        assert run_dag(one).state in ("failed", "up_for_retry")
    text = caplog.text + capsys.readouterr().out
    assert message in text
    assert "pat_" not in text
    assert rma.documents(record["invnumber"]) == []


def test_mapping_over_sources_bills_each(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    records, paths = [invoice(), invoice()], []
    for number, record in enumerate(records):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(record), encoding="utf-8")
        paths.append(path.as_uri())
    with dag("mapped_sources") as one:

        @task
        def list_files() -> list[str]:
            return paths

        RunMyAccountsCreateInvoicesOperator.partial(task_id="bill", settle_time=60).expand(source=list_files())
    assert run_dag(one).state == "success"
    assert [len(rma.documents(record["invnumber"])) for record in records] == [1, 1]


def test_a_wrong_parameter_of_a_mapped_task_fails_that_task_before_anything_is_sent(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    record = invoice()
    with dag("mapped_wrong") as one:
        RunMyAccountsCreateInvoicesOperator.partial(task_id="bill", invoices=[record]).expand(settle_time=[-600])
    assert run_dag(one).state == "failed"
    assert rma.documents(record["invnumber"]) == []


def test_days_that_are_taken_for_a_slip_are_billed_if_date_range_says_so(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    record = invoice(transdate="2150-01-31")

    def bill(name: str, **options: Any) -> dict[str, int]:
        with dag(name) as one:
            RunMyAccountsCreateInvoicesOperator(task_id="bill", invoices=[record], **options)
        counts: dict[str, int] = results(run_dag(one))["counts"]
        return counts

    wide = ("2026-01-01", "2150-12-31")
    assert bill("implausible") == {"invalid": 1}
    assert bill("plausible", date_range=wide) == {"created": 1}
    # The list of all invoices covers the day, so it is found there.
    assert bill("plausible_again", date_range=wide) == {"unchanged": 1}
    assert len(rma.documents(record["invnumber"])) == 1
    with dag("plausible_cancelled") as one:
        RunMyAccountsCancelInvoicesOperator(task_id="bill", numbers=record["invnumber"], date_range=wide)
    assert results(run_dag(one))["counts"] == {"created": 1}


def test_days_before_a_narrower_date_range_are_refused(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    early, late = invoice(transdate="2025-12-31"), invoice()
    with dag("narrow") as one:
        RunMyAccountsCreateInvoicesOperator(
            task_id="bill", invoices=[early, late], date_range=("2026-01-01", "2026-12-31")
        )
    result = results(run_dag(one))
    assert result["counts"] == {"created": 1, "invalid": 1}
    assert "lies outside of 2026-01-01 to 2026-12-31" in outcomes(result)[0]["reasons"][0]


def plan(run_dag: Callable[..., Any], *records: dict[str, Any], **options: Any) -> dict[str, Any]:
    with dag("planned") as one:
        RunMyAccountsPlanInvoicesOperator(task_id="bill", invoices=list(records), **options)
    return results(run_dag(one))


def apply(run_dag: Callable[..., Any], **arguments: Any) -> tuple[str, dict[str, Any]]:
    with dag("applied") as one:
        RunMyAccountsCreateInvoicesOperator(task_id="bill", **arguments)
    run = run_dag(one)
    return run.state, results(run)


@pytest.mark.parametrize("plan_hash", ["{{ '' }}", "{{ None }}", "{{ 'abc' }}"])
def test_a_hash_that_renders_to_none_refuses_the_plan(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any], plan_hash: str
) -> None:
    record = invoice()
    planned = plan(run_dag, record)
    assert apply(run_dag, plan=planned["plan"], plan_hash=plan_hash)[0] == "failed"
    assert rma.documents(record["invnumber"]) == []


def test_a_plan_that_is_gone_fails_the_task_for_good(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    planned = plan(run_dag, invoice())
    Path(planned["plan"].removeprefix("file://")).unlink()
    with dag("gone") as one:
        RunMyAccountsCreateInvoicesOperator(task_id="bill", plan=planned["plan"], retries=3)
    run = run_dag(one)
    (ti,) = run.get_task_instances()
    assert (run.state, ti.try_number) == ("failed", 1)


@pytest.mark.parametrize("missing", ["plan", "plan_hash"])
def test_what_a_task_has_not_left_refuses_the_plan(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any], missing: str
) -> None:
    record = invoice()
    planned = plan(run_dag, record)
    with dag("left_nothing") as one:

        @task(multiple_outputs=True)
        def pass_on() -> dict[str, Any]:
            return {name: planned[name] for name in ("plan", "plan_hash") if name != missing}

        left = pass_on()
        RunMyAccountsCreateInvoicesOperator(task_id="bill", plan=left["plan"], plan_hash=left["plan_hash"])
    assert run_dag(one).state == "failed"
    assert rma.documents(record["invnumber"]) == []


def test_a_plan_that_was_changed_is_refused_by_the_hash_in_its_name(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    record = invoice()
    planned = plan(run_dag, record)
    path = Path(planned["plan"].removeprefix("file://"))
    path.write_bytes(path.read_bytes().replace(b"3400", b"3200"))
    assert apply(run_dag, plan=planned["plan"])[0] == "failed"
    assert rma.documents(record["invnumber"]) == []


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({"approver": "A. Prüferin"}, "success"),
        ({}, "failed"),
        ({"approver": "A. Prüferin", "fail_on": ["invalid"]}, "failed"),
        ({"fail_on": ["rejected"]}, "success"),
    ],
)
def test_a_plan_that_leaves_records_out_on_purpose_ends_green_if_somebody_has_approved_it(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any], options: dict[str, Any], state: str
) -> None:
    good, bad = invoice(), invoice(customernumber="K-none")
    planned = plan(run_dag, good, bad)
    ended, result = apply(run_dag, plan=planned["plan"], plan_hash=planned["plan_hash"], **options)
    assert (ended, result["counts"]) == (state, {"created": 1, "invalid": 1})
    assert "there is no customer K-none in RMA" in outcomes(result)[1]["reasons"][0]


def test_a_plan_with_looser_rules_is_judged_by_those_of_the_task_that_carries_it_out(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    new_customer = {"customernumber": "OP-K9", "name": "Muster AG"}
    records = [
        invoice(),
        invoice(customernumber=None, customer=new_customer),
        invoice(transdate="2150-01-31"),
        invoice(currency="EUR"),
    ]
    planned = plan(
        run_dag, *records, send_customers=True, allow_currency="EUR", date_range=("2026-01-01", "2150-12-31")
    )
    assert planned["counts"] == {"create": 4}
    _, result = apply(run_dag, plan=planned["plan"], plan_hash=planned["plan_hash"], approver="A. Prüferin")
    assert [row["outcome"] for row in outcomes(result)] == ["created", "invalid", "invalid", "invalid"]
    reasons = " ".join(row["reasons"][0] for row in outcomes(result)[1:])
    assert all(name in reasons for name in ("send_customers", "date_range", "allow_currency"))
    assert [len(rma.documents(record["invnumber"])) for record in records] == [1, 0, 0, 0]
