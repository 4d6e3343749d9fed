"""A company's year, step by step as an accountant lives it: after each step the warehouse equals the books, and the
verdict is the right one for the right reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.exceptions import UnprovenError
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.support.ledger.company import Company, start, warehouse_rows, without_entry_ids
from tests.support.ledger.duckdb_file import connect_duckdb

YEAR = date(2025, 1, 1), date(2025, 12, 31)
NEXT = date(2026, 1, 1), date(2026, 12, 31)


class Warehouse:
    """A DuckDB file that a company's ledger is carried into."""

    def __init__(self, company: Company, path: Path) -> None:
        self.company, self.path = company, path

    def extract(self, period: tuple[date, date] = YEAR, **kwargs: Any) -> LedgerResult:
        with open_destination(f"duckdb:///{self.path}") as destination, self.company.client() as client:
            return extract_ledger(client, destination, from_date=period[0], to_date=period[1], **kwargs)

    def sql(self, query: str) -> list[dict[str, Any]]:
        with connect_duckdb(str(self.path), read_only=True) as connection:
            return list(connection.sql(query).to_arrow_table().to_pylist())

    def postings(self, period: tuple[date, date] = YEAR) -> list[dict[str, Any]]:
        return self.sql(f"SELECT * FROM postings WHERE transdate BETWEEN '{period[0]}' AND '{period[1]}'")

    def verdicts(self) -> dict[str, str]:
        """Verdict of each loaded month that is not exact."""
        rows = self.sql("SELECT month, verdict FROM proofs WHERE accno IS NULL AND loaded AND verdict <> 'exact'")
        return {row["month"].isoformat()[:7]: row["verdict"] for row in rows}

    def reasons(self, month: str) -> str:
        rows = self.sql(f"SELECT reasons FROM proofs WHERE accno IS NULL AND month = '{month}-01' AND loaded")
        return rows[0]["reasons"] or ""


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """The steps below build on each other and run in their order."""
    folder = tmp_path_factory.mktemp("year")
    with start(folder) as simulator:
        yield Warehouse(Company(simulator), folder / "warehouse.duckdb")


def settled(year: Warehouse, result: LedgerResult, changed: set[str], period: tuple[date, date] = YEAR) -> None:
    """The warehouse holds exactly what the books hold, and only these months were replaced."""
    assert set(result.months("changed")) == changed
    assert warehouse_rows(year.postings(period)) == year.company.rows(*period)


DOCUMENTS: dict[str, int] = {}


def test_01_a_year_of_business_is_exact(year: Warehouse) -> None:
    company = year.company
    company.voucher("GL-1", "2024-06-30", "1020", "2800", "100000", description="Gründung")
    DOCUMENTS["booking"] = company.sale("R-1", "2025-01-15")
    DOCUMENTS["articles"] = company.articles("R-2", "2025-01-20", department="Department 2")
    DOCUMENTS["march"] = company.sale("R-3", "2025-03-10", "250", "20.25")
    DOCUMENTS["lonely"] = company.sale("R-4", "2025-04-10", "75", "6.08")
    company.voucher("GL-2", "2025-06-30", "6000", "1020", "1800", description="Miete")
    DOCUMENTS["december"] = company.voucher("GL-3", "2025-12-15", "6500", "1000", "120.50")
    company.pay(DOCUMENTS["booking"], "2025-02-03", "108.10", memo="Zahlung")
    company.pay(DOCUMENTS["march"], "2025-05-02", "200", payment_accno="1020")
    result = year.extract()
    assert (result.verdict, len(result.windows)) == ("exact", 12)
    settled(year, result, {window.window.name for window in result.windows})
    assert year.sql("SELECT count(*) AS n FROM postings WHERE month = DATE '2025-07-01'") == [{"n": 0}]


def test_02_another_look_changes_nothing(year: Warehouse) -> None:
    before = year.sql("SELECT * FROM postings")
    result = year.extract()
    assert result.verdict == "exact"
    settled(year, result, set())
    assert year.sql("SELECT * FROM postings") == before


def test_03_a_voucher_saved_again_has_new_ids_and_counts_once(year: Warehouse) -> None:
    company = year.company
    before = {row["entry_id"] for row in year.postings() if row["voucher_id"] == DOCUMENTS["march"]}
    document = {
        "invnumber": "R-3", "customernumber": "K-001", "transdate": "2025-03-10",
        "incomeentries": [{"amount": "260", "income_accno": "3400"}],
        "taxentries": [{"amount": "21.06", "tax_accno": "2201"}],
        "payments": [{"amount": "200", "datepaid": "2025-05-02", "payment_accno": "1020"}],
    }  # fmt: skip
    company.resave(DOCUMENTS["march"], document)
    result = year.extract()
    assert result.verdict == "exact"
    assert set(result.months("changed")) == {"2025-03"}, "in May only ids have changed, not what they say"
    rows = [row for row in year.postings() if row["voucher_id"] == DOCUMENTS["march"] and row["month"].month == 3]
    assert sum(row["credit"] for row in rows) == Decimal("281.06")
    assert not before & {row["entry_id"] for row in rows}
    assert without_entry_ids(warehouse_rows(year.postings())) == without_entry_ids(company.rows(*YEAR))
    with open_destination(f"duckdb:///{year.path}") as destination, company.client() as client:
        assert extract_ledger(client, destination, from_date=YEAR[0], to_date=YEAR[1]).months("changed") == []


def test_04_a_voucher_that_is_deleted_is_gone(year: Warehouse) -> None:
    year.company.delete(DOCUMENTS["december"])
    result = year.extract()
    assert result.verdict == "exact"
    assert result.months("changed") == ["2025-12"]
    assert [row for row in year.postings() if row["voucher_id"] == DOCUMENTS["december"]] == []


def test_05_a_month_that_becomes_empty_is_replaced_by_nothing(year: Warehouse) -> None:
    year.company.delete(DOCUMENTS["lonely"])
    result = year.extract()
    (april,) = [month for month in result.windows if month.window.name == "2025-04"]
    assert (april.state, april.verdict, april.rows, april.rows_before) == ("changed", "exact", 0, 3)
    assert [row for row in year.postings() if row["month"] == date(2025, 4, 1)] == []


def test_06_a_back_dated_voucher_appears_where_it_belongs(year: Warehouse) -> None:
    year.company.voucher("GL-4", "2025-02-28", "6510", "1020", "99.90")
    result = year.extract(period=(date(2025, 10, 1), date(2025, 12, 31)))
    assert (result.verdict, result.months("changed")) == ("exact", ["2025-02"]), "openings lead back to it"
    assert without_entry_ids(warehouse_rows(year.postings())) == without_entry_ids(year.company.rows(*YEAR))


def test_07_a_rappen_out_of_balance_is_tolerated_and_named(year: Warehouse) -> None:
    DOCUMENTS["rappen"] = year.company.voucher("GL-5", "2025-08-05", "6500", "1020", "10")
    year.company.simulator.control("POST", f"/documents/{DOCUMENTS['rappen']}/unbalance", {"amount": "0.01"})
    result = year.extract()
    assert result.verdict == "tolerated"
    assert year.verdicts() == {"2025-08": "tolerated"}
    (reason,) = result.reasons()
    assert re.search(
        rf"2025-08: voucher_unbalanced: Voucher gl {DOCUMENTS['rappen']} \(reference GL-5\).*0\.01 CHF", reason
    )
    assert "GL-5" in year.reasons("2025-08")


def test_08_a_franc_out_of_balance_is_broken_and_the_old_month_stays(year: Warehouse) -> None:
    before = year.postings()
    year.company.simulator.control("POST", f"/documents/{DOCUMENTS['rappen']}/unbalance", {"amount": "1"})
    with pytest.raises(UnprovenError) as caught:
        year.extract()
    assert caught.value.windows == {"2025-08": "broken"}
    assert "GL-5" in caught.value.reasons[0]
    assert "1.01 CHF" in caught.value.reasons[0]
    assert year.postings() == before
    assert year.verdicts() == {"2025-08": "tolerated"}
    refused = year.sql("SELECT verdict FROM proofs WHERE accno IS NULL AND NOT loaded")
    assert refused == [{"verdict": "broken"}]


def test_09_it_can_be_kept_and_is_marked(year: Warehouse) -> None:
    result = year.extract(on_unproven="keep")
    assert result.unproven == {"2025-08": "broken"}
    assert year.verdicts() == {"2025-08": "broken"}
    assert without_entry_ids(warehouse_rows(year.postings())) == without_entry_ids(year.company.rows(*YEAR))
    proven = year.sql("SELECT count(*) AS n FROM postings_proven WHERE month = DATE '2025-08-01'")
    assert proven == [{"n": 0}]


def test_10_once_repaired_it_is_exact_again(year: Warehouse) -> None:
    year.company.delete(DOCUMENTS["rappen"])
    result = year.extract()
    assert (result.verdict, result.months("changed")) == ("exact", ["2025-08"])
    assert year.verdicts() == {}


def test_11_the_year_end_voucher_is_a_voucher_like_others(year: Warehouse) -> None:
    closing = year.company.post("/year-end", {"closing_date": "2025-12-31", "equity_accno": "2990"})
    result = year.extract()
    assert (result.verdict, result.months("changed")) == ("exact", ["2025-12"])
    rows = [row for row in year.postings() if row["voucher_id"] == closing]
    assert {row["accno"][0] for row in rows} == {"2", "3", "6"}
    income = year.sql("SELECT sum(amount) AS s FROM postings WHERE accno LIKE '3%' OR accno LIKE '6%'")
    assert income == [{"s": 0}], "the closing voucher sweeps the year"


def test_12_the_next_year_opens_where_the_old_one_closed(year: Warehouse) -> None:
    year.company.sale("R-5", "2026-01-10", "500", "40.50")
    result = year.extract(period=NEXT)
    assert result.verdict == "exact"
    assert warehouse_rows(year.postings(NEXT)) == year.company.rows(*NEXT)
    openings = year.sql(
        "SELECT o.accno FROM proofs o JOIN proofs c USING (tenant, accno) WHERE o.month = DATE '2026-01-01' "
        "AND c.month = DATE '2025-12-01' AND o.loaded AND c.loaded AND o.opening IS DISTINCT FROM c.closing "
        "AND o.accno < '3'"
    )
    assert openings == []


def test_13_the_trial_balance_of_the_warehouse_is_the_one_of_the_books(year: Warehouse) -> None:
    stated = {}
    with year.company.client() as client:
        for row in client.list_balances(to_date=date(2025, 12, 31), include_openings=True):
            if row["accountnumber"] < "3" and row["amount"]:
                stated[row["accountnumber"]] = row["amount"]
    shown = year.sql("SELECT accno, closing FROM trial_balance WHERE month = DATE '2025-12-01' AND accno < '3'")
    assert {row["accno"]: row["closing"] for row in shown if row["closing"]} == stated


def test_14_nobody_else_s_data_was_touched(year: Warehouse) -> None:
    assert year.sql("SELECT DISTINCT tenant FROM postings") == [{"tenant": "demo"}]
    (loads,) = year.sql("SELECT count(*) AS n, count(*) FILTER (NOT loaded) AS refused FROM loads")
    assert loads["refused"] == 1
    assert loads["n"] > 100
