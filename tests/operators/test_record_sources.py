"""Files and queries through the operators, against the simulator."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.operators.billing import (
    RunMyAccountsCreateCustomersOperator,
    RunMyAccountsCreateInvoicesOperator,
    RunMyAccountsPlanInvoicesOperator,
)
from airflow_provider_rma.transfers.sql_to_rma import (
    SqlToRunMyAccountsCustomersOperator,
    SqlToRunMyAccountsInvoicesOperator,
)
from tests.support.record_files import HEADER, csv_bytes, ndjson_bytes
from tests.support.simulator import SimulatorProcess

pytestmark = pytest.mark.airflow

EXPORTS = Path(__file__).parents[1] / "data" / "records"
SWISS = {"number_format": "1'234.50", "date_format": "DD.MM.YYYY"}


def bill(run_dag: Callable[..., Any], operator: type = RunMyAccountsCreateInvoicesOperator, **arguments: Any) -> Any:
    with DAG("sources", schedule=None, start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Zurich")) as dag:
        operator(task_id="bill", retries=2, **arguments)
    run = run_dag(dag)
    (ti,) = run.get_task_instances()
    return run.state, ti.try_number, ti.xcom_pull(task_ids="bill")


def outcomes(storage: Path) -> dict[str, dict[str, Any]]:
    (path,) = storage.rglob("outcomes.ndjson")
    return {row["number"]: row for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


def posts(rma: SimulatorProcess) -> int:
    received = rma.control("GET", "/requests")["received"]
    return sum(count for request, count in received.items() if request.startswith("POST"))


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252"])
def test_the_export_of_a_spreadsheet_is_billed(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any], tmp_path: Path, encoding: str
) -> None:
    content = (EXPORTS / f"spreadsheet-{encoding}.csv").read_bytes().replace(b"SP-", f"SP-{encoding}-".encode())
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    state, _, result = bill(run_dag, source=path.as_uri(), encoding=encoding, min_count=3, **SWISS)
    assert state == "success"
    assert result["counts"] == {"created": 3}
    booked = {number: rma.documents(f"SP-{encoding}-{number}")[0] for number in (1, 2, 3)}
    assert [Decimal(booked[number]["amount"]) for number in (1, 2, 3)] == [
        Decimal("1234.50"),
        Decimal("2469.00"),
        Decimal("-12.05"),
    ]
    assert [booked[number]["transdate"] for number in (1, 2, 3)] == ["2026-10-31", "2026-10-30", "2026-10-01"]
    assert booked[1]["notes"].startswith("Café «Zürich» – Miete; Oktober")
    assert booked[2]["notes"].startswith('Übernachtung\nZimmer 7, "Süd"')
    assert booked[3]["notes"].startswith("Gutschrift €")


def test_without_its_notation_every_row_of_the_export_is_invalid_by_itself(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    path = EXPORTS / "spreadsheet-utf-8.csv"
    state, tries, _ = bill(run_dag, source=path.as_uri())
    assert (state, tries) == ("failed", 1)
    rows = outcomes(storage)
    assert {row["outcome"] for row in rows.values()} == {"invalid"}
    assert any("date_format" in reason for reason in rows["SP-1"]["reasons"])
    assert any("number_format" in reason for reason in rows["SP-1"]["reasons"])
    assert posts(rma) == 0


def test_a_value_that_does_not_fit_is_that_records_fault_and_its_reject_can_be_given_back(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    rows = ["NF-1;K-001;15.09.2026;ART-1;1;1'000.50", "NF-2;K-001;15.09.2026;ART-1;1;1,50"]
    path.write_bytes(csv_bytes(HEADER, *rows))
    state, tries, _ = bill(run_dag, source=path.as_uri(), **SWISS)
    assert (state, tries) == ("failed", 1)
    found = outcomes(storage)
    assert [found[number]["outcome"] for number in ("NF-1", "NF-2")] == ["created", "invalid"]
    assert found["NF-2"]["reasons"] == [
        "invoice NF-2: parts[0].sellprice: is not written as 1'234.50; write it so, or correct number_format"
    ]
    (rejects,) = storage.rglob("rejects.ndjson")
    text = rejects.read_text(encoding="utf-8")
    assert "15.09.2026" in text
    rejects.write_text(text.replace("1,50", "1'001.50"), encoding="utf-8")
    state, _, result = bill(run_dag, source=rejects.as_uri(), **SWISS)
    assert (state, result["counts"]) == ("success", {"created": 1})
    assert Decimal(rma.documents("NF-2")[0]["netamount"]) == Decimal("1001.50")


ROW = "FQ-1;K-001;2026-09-15;ART-1;1;10.00"
WRONG = {
    "empty.csv": (b"", "is empty, not even a header"),
    "empty.ndjson": (b"", "is empty"),
    "empty.json": (b"", "is empty"),
    "no-header.csv": (csv_bytes(ROW), "is named as a field of RMA"),
    "title.csv": (csv_bytes("Rechnungen 2026;;;;;", HEADER, ROW), "remove title lines above it"),
    "twice.csv": (csv_bytes(HEADER + ";parts__sellprice", ROW + ";1000.00"), "parts__sellprice: is the name of two"),
    "twice.ndjson": (b'{"invnumber": "FQ-1", "invnumber": "FQ-2"}', "invnumber: stands twice in one object"),
    "index.csv": (csv_bytes(";" + HEADER, "0;" + ROW), "column 1: has no name"),
    "1252.csv": (csv_bytes(HEADER, ROW + "ü", encoding="windows-1252"), "encoding='windows-1252'"),
    "deep.json": (b"[" * 100_000, "levels"),
    "damaged.parquet": (b"PAR1" * 20, "is not a Parquet file, or is damaged"),
    "spreadsheet.xlsx": (b"PK", "Save the sheet as CSV UTF-8"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_fails_the_task_at_once_and_sends_nothing(
    rma: SimulatorProcess,
    storage: Path,
    run_dag: Callable[..., Any],
    tmp_path: Path,
    name: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content, message = WRONG[name]
    (tmp_path / name).write_bytes(content)
    with caplog.at_level(logging.ERROR):
        state, tries, _ = bill(run_dag, source=(tmp_path / name).as_uri())
    assert (state, tries) == ("failed", 1)
    assert message in caplog.text + capsys.readouterr().out
    assert posts(rma) == 0


@pytest.mark.parametrize("source", ["{{ '' }}", "nowhere://x/a.csv"])
def test_a_source_without_a_storage_fails_the_task_at_once(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any], source: str
) -> None:
    state, tries, _ = bill(run_dag, source=source)
    assert (state, tries) == ("failed", 1)


def test_fewer_records_than_expected_fail_the_task_before_anything_is_sent(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "rows.ndjson"
    record = {"customernumber": "MC-1", "name": "Muster AG"}
    path.write_bytes(ndjson_bytes(record))
    customers = RunMyAccountsCreateCustomersOperator
    state, tries, _ = bill(run_dag, customers, source=path.as_uri(), min_count=2)
    assert (state, tries, posts(rma)) == ("failed", 1, 0)
    state, tries, _ = bill(run_dag, customers, customers=[record], min_count=2)
    assert (state, tries, posts(rma)) == ("failed", 1, 0)
    assert bill(run_dag, customers, source=path.as_uri(), min_count=1)[0] == "success"
    path.write_bytes(csv_bytes(HEADER))
    (tmp_path / "none.csv").write_bytes(csv_bytes(HEADER))
    for operator in (RunMyAccountsPlanInvoicesOperator, RunMyAccountsCreateInvoicesOperator):
        assert bill(run_dag, operator, source=(tmp_path / "none.csv").as_uri(), min_count=1)[0] == "failed"
        assert bill(run_dag, operator, source=(tmp_path / "none.csv").as_uri())[0] == "success"


def test_a_plan_of_fewer_records_than_expected_is_not_carried_out(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(csv_bytes(HEADER, ROW.replace("FQ-1", "MC-2")))
    state, _, plan = bill(run_dag, RunMyAccountsPlanInvoicesOperator, source=path.as_uri(), min_count=1)
    assert state == "success"
    assert bill(run_dag, plan=plan["plan"], min_count=2)[0] == "failed"
    assert rma.documents("MC-2") == []
    assert bill(run_dag, plan=plan["plan"], min_count=1)[0] == "success"


@pytest.mark.parametrize(
    "arguments",
    [
        {"min_count": -1},
        {"min_count": "3"},
        {"min_count": True},
        {"encoding": "ansi-1252"},
        {"number_format": "de_CH"},
        {"date_format": "%d.%m.%Y"},
    ],
)
@pytest.mark.parametrize(
    "operator",
    [
        RunMyAccountsCreateCustomersOperator,
        RunMyAccountsPlanInvoicesOperator,
        RunMyAccountsCreateInvoicesOperator,
        SqlToRunMyAccountsCustomersOperator,
        SqlToRunMyAccountsInvoicesOperator,
    ],
)
def test_wrong_parameters_of_a_source_are_refused_when_the_dag_is_parsed(
    operator: type, arguments: dict[str, Any]
) -> None:
    query = {"sql": "SELECT 1", "sql_conn_id": "erp"} if operator.__name__.startswith("Sql") else {"source": "a.csv"}
    with pytest.raises(ConfigurationError, match=next(iter(arguments))):
        operator(task_id="bill", **query, **arguments)


@pytest.mark.parametrize("other", ["source", "invoices", "plan", "encoding"])
def test_another_source_beside_a_query_is_refused_when_the_dag_is_parsed(other: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{other}: given together with sql"):
        SqlToRunMyAccountsInvoicesOperator(task_id="bill", sql="SELECT 1", sql_conn_id="erp", **{other: "x"})


def test_an_invoice_that_a_left_join_finds_no_lines_for_is_refused_in_clear_words(
    rma: SimulatorProcess,
    storage: Path,
    run_dag: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = sqlite3.connect(tmp_path / "erp.db")
    database.executescript(
        "CREATE TABLE i (n, amount); CREATE TABLE l (n, article, price);"
        "INSERT INTO i VALUES ('LJ-1', '1''000.00'), ('LJ-2', '5.00');"
        "INSERT INTO l VALUES ('LJ-1', 'ART-1', '1''000.00');"
    )
    database.close()
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "erp.db")}
    monkeypatch.setenv("AIRFLOW_CONN_ERP", json.dumps(connection))
    sql = """
        SELECT i.n AS INVNUMBER, 'K-001' AS customernumber, '15.09.2026' AS transdate, l.article AS parts__partnumber,
               l.price AS parts__sellprice, CASE WHEN l.n IS NOT NULL THEN 1 END AS parts__quantity
        FROM i LEFT JOIN l USING (n) ORDER BY i.n
    """
    arguments = {"sql": f"PRAGMA case_sensitive_like = ON; {sql}", "sql_conn_id": "erp", "min_count": 2, **SWISS}
    state, tries, _ = bill(run_dag, SqlToRunMyAccountsInvoicesOperator, **arguments)
    assert (state, tries) == ("failed", 1)
    found = outcomes(storage)
    assert found["LJ-1"]["outcome"] == "created"
    assert found["LJ-2"]["outcome"] == "invalid"
    (reason,) = found["LJ-2"]["reasons"]
    assert "parts" in reason
    assert "incomeentries" in reason
