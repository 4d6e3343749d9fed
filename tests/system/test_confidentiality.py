"""Canaries: names, addresses, texts and the token are planted, then everything that must not hold them is searched."""

from __future__ import annotations

import json
import logging
import os
import pickle
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG

from airflow_provider_rma.exceptions import RunMyAccountsError
from airflow_provider_rma.operators.billing import (
    RunMyAccountsCreateCustomersOperator,
    RunMyAccountsCreateInvoicesOperator,
    RunMyAccountsPlanInvoicesOperator,
)
from airflow_provider_rma.operators.cancellation import RunMyAccountsCancelInvoicesOperator
from tests.support.billing_bench import Bench
from tests.support.simulator import SimulatorProcess
from tests.support.system.secrets import CANARIES, RECORDS, TOKEN, article, customer, invoice

pytestmark = pytest.mark.airflow

#: Files that may hold what a run was given and what RMA said about it.
MAY_HOLD = ("plan-*.ndjson", "outcomes.ndjson", "rejects.ndjson")


def may_hold(path: Path) -> bool:
    return any(path.match(pattern) for pattern in MAY_HOLD)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    books = tmp_path_factory.mktemp("books") / "books.db"
    with SimulatorProcess(books, token=TOKEN, args=["--duplicates", "accept"]) as process:
        yield process


def found_in(text: str) -> list[str]:
    """Canaries in a text; of the phone number also without blanks."""
    wanted = CANARIES | {"token": TOKEN, "phone, short": CANARIES["phone"].replace(" ", "")}
    return [name for name, canary in wanted.items() if canary in text]


def database_text(path: Path) -> str:
    """Everything in a SQLite database: every value of every row, and the bytes of its files."""
    texts = []
    connection = sqlite3.connect(path)
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            texts += [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row]
    connection.close()
    texts += [one.read_bytes().decode("latin-1") for one in path.parent.glob(f"{path.name}*")]
    return "\n".join(texts)


def test_canaries_are_found_where_they_are(tmp_path: Path) -> None:
    """The search itself works."""
    path = tmp_path / "some.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (?)", (json.dumps(list(CANARIES.values())),))
    assert found_in(database_text(path)) == list(CANARIES)


def test_nothing_personal_and_no_secret_leaves_the_files(
    rma: SimulatorProcess,
    storage: Path,
    run_dag: Callable[..., Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = tmp_path / "invoices.ndjson"
    source.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    day = pendulum.datetime(2026, 11, 1, tz="Europe/Zurich")
    rma.control("POST", "/customers", {"customernumber": "VOGEL-1", "name": CANARIES["name"]})
    rma.post(
        "/invoices", invoice("CANARY-8", incomeentries={"incomeentry": [{"amount": "1.00", "income_accno": "3400"}]})
    )
    states = {}
    with caplog.at_level(logging.DEBUG):
        for name, make in {
            "plan": lambda: RunMyAccountsPlanInvoicesOperator(
                task_id="bill", source=source.as_uri(), check_master_data=False
            ),
            "customers": lambda: RunMyAccountsCreateCustomersOperator(
                task_id="bill", customers=[customer("VOGEL-2"), customer("VOGEL-3", nickname=CANARIES["name"])]
            ),
            "managed": lambda: RunMyAccountsCreateCustomersOperator(
                task_id="bill", customers=[customer("VOGEL-1")], managed_fields=["address1", "email", "bank_iban"]
            ),
            "bill": lambda: RunMyAccountsCreateInvoicesOperator(
                task_id="bill", source=source.as_uri(), check_master_data=False, settle_time=300
            ),
            "direct": lambda: RunMyAccountsCreateInvoicesOperator(
                task_id="bill", invoices=RECORDS, check_master_data=False
            ),
            "cancel": lambda: RunMyAccountsCancelInvoicesOperator(task_id="bill", numbers=["CANARY-1"]),
        }.items():
            if name == "bill":
                rma.control("POST", "/chaos", {"class": "create_invoice", "fault": "lost", "skip": 1, "count": 1})
            with DAG(f"canary_{name}", schedule=None, start_date=day) as dag:
                make()
            states[name] = run_dag(dag).state
    written = [path for path in storage.rglob("*") if path.is_file()]
    allowed = "\n".join(path.read_text(encoding="utf-8") for path in written if may_hold(path))
    assert states == {
        "plan": "success",
        "customers": "failed",
        "managed": "success",
        "bill": "failed",
        "direct": "failed",
        "cancel": "success",
    }
    outcomes = {row["outcome"] for row in map(json.loads, outcome_lines(storage))}
    assert outcomes >= {"created", "unknown", "rejected", "invalid", "conflict"}
    # The search would find them: they are where they may be, RMA's own words among them.
    assert {"note", "line", "title", "internal note", "article"} <= set(found_in(allowed))
    assert CANARIES["article"] in "".join(
        row.get("server_message", "") for row in map(json.loads, outcome_lines(storage))
    )
    assert TOKEN not in allowed

    captured = capfd.readouterr()
    assert len(caplog.records) > 50
    home = Path(os.environ["AIRFLOW_HOME"])
    searched = {
        "log records": "\n".join(map(everything_of, caplog.records)),
        "stdout": captured.out,
        "stderr": captured.err,
        "Airflow's database": database_text(home / "airflow.db"),
        "journal": database_text(home / "rma" / "journal.db"),
    }
    searched |= {str(path): path.read_text("latin-1") for path in written if not may_hold(path)}
    searched |= {str(path): path.read_text("latin-1") for path in (home / "logs").rglob("*.log")}
    assert "CANARY-1" in searched["journal"]
    assert "canary_bill" in searched["Airflow's database"]
    assert {place: found_in(text) for place, text in searched.items() if found_in(text)} == {}


def outcome_lines(storage: Path) -> list[str]:
    files = storage.rglob("outcomes.ndjson")
    return [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]


def everything_of(record: logging.LogRecord) -> str:
    """A log record with its arguments, its traceback and whatever was attached to it."""
    return f"{record.getMessage()}\n{logging.Formatter().format(record)}\n{record.__dict__!r}"


#: What a message may quote beside numbers of documents and customers: the number of an article is nobody's.
_QUOTABLE = {"article"}

#: Names of people, addresses and texts where a record has room for a number.
_MISPLACED = [
    invoice("CANARY-20", customernumber=CANARIES["name"]),
    invoice("CANARY-21", customernumber=CANARIES["e-mail"]),
    invoice("CANARY-22", customernumber=CANARIES["IBAN"]),
    invoice("CANARY-23", incomeentries=None, parts=article(partnumber=CANARIES["name"])),
    invoice("CANARY-24", incomeentries=[{"amount": "1", "income_accno": CANARIES["first name"]}]),
    invoice("CANARY-25", ar_accno=CANARIES["phone"]),
    invoice("CANARY-26", currency=CANARIES["town"]),
    invoice("CANARY-27", transdate=CANARIES["street"]),
]


def test_exceptions_hold_nothing_personal_and_no_secret(simulator: SimulatorProcess, tmp_path: Path) -> None:
    """Neither their text nor what is pickled between a worker and its supervisor, apart from what may be quoted."""
    bench = Bench(simulator, tmp_path)
    errors: list[RunMyAccountsError] = []
    for fault in (None, "lost", "error", "html", "too_many_requests"):
        for request_class in ("create_invoice", "read_invoices") if fault else ("",):
            if fault:
                bench.chaos(request_class, fault)
            records = [*RECORDS, *_MISPLACED]
            bench.bill(*[record | {"invnumber": f"{record['invnumber']}-{len(errors)}"} for record in records])
            simulator.control("DELETE", "/chaos")
            assert bench.error is not None
            errors.append(bench.error)
    for error in errors:
        chain: BaseException | None = error
        while chain is not None:
            assert set(found_in(str(chain) + repr(chain))) <= _QUOTABLE
            chain = chain.__cause__ or chain.__context__
        assert set(found_in(pickle.dumps(error).decode("latin-1"))) <= _QUOTABLE
