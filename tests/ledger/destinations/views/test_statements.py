"""Profit and loss, balance sheet and keys, against figures worked out by hand, in every kind of warehouse."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.windows import Window
from tests.support.ledger.books_for_views import (
    DECEMBER,
    NOVEMBER,
    fill_company,
    fill_year_end,
    journal_entry,
)
from tests.support.ledger.company import Company
from tests.support.ledger.warehouses import Warehouse, duckdb_warehouse
from tests.support.ledger.window_fixtures import balances, load_window, posting

D = Decimal


def test_profit_and_loss_leaves_the_year_end_closing_out(with_views: Warehouse) -> None:
    fill_year_end(with_views)
    found = with_views.query(
        "SELECT fiscal_year, month, accno, amount, amount_cumulated, result_cumulated, result_with_closings_cumulated "
        "FROM profit_and_loss ORDER BY month, accno"
    )
    october, november, december = (date(2025, month, 1) for month in (10, 11, 12))
    assert found == [
        (2025, october, "3200", D(300), D(300), D(300), D(300)),
        (2025, november, "3200", D(0), D(300), D(300), D(300)),
        (2025, november, "6500", D(80), D(80), D(-80), D(-80)),
        (2025, december, "3200", D(100), D(400), D(400), D(-500)),
        (2025, december, "6500", D(20), D(100), D(-100), D(0)),
        (2026, date(2026, 1, 1), "3200", D(10), D(10), D(10), D(10)),
    ]


def test_profit_and_loss_says_whether_the_year_is_whole_and_proven(with_views: Warehouse) -> None:
    fill_year_end(with_views)
    assert with_views.query(
        "SELECT month, complete, proven, proven_cumulated, verdict FROM profit_and_loss WHERE accno = '3200' ORDER BY 1"
    ) == [
        (date(2025, 10, 1), False, True, True, "exact"),
        (date(2025, 11, 1), False, True, True, "exact"),
        (date(2025, 12, 1), False, True, True, "exact"),
        (date(2026, 1, 1), True, True, True, "tolerated"),
    ]


def test_a_month_that_is_not_proven_marks_what_is_cumulated_after_it(with_views: Warehouse) -> None:
    with with_views.open() as destination:
        for month, verdict in ((1, "broken"), (2, "exact")):
            window = Window.of(date(2026, month, 1))
            load_window(destination, [posting("3200", 5, window=window)], window=window, verdict=verdict)
    assert with_views.query("SELECT complete, proven, proven_cumulated FROM profit_and_loss ORDER BY month") == [
        (True, False, False),
        (True, True, False),
    ]


def test_the_year_end_voucher_is_told_by_its_form_alone(with_views: Warehouse) -> None:
    fill_year_end(with_views)
    assert with_views.query(
        "SELECT voucher_id, reference, transdate, equity_accno, result, swept_accounts, cleared_accounts "
        "FROM year_end_vouchers"
    ) == [(5, "C-5", date(2025, 12, 31), "2990", D(800), 2, 1)]


@pytest.mark.parametrize(
    ("day", "lines", "source", "module"),
    [
        (date(2025, 12, 30), [("3200", -9), ("6500", 4), ("2990", 5)], "X", "gl"),
        (date(2025, 12, 31), [("3200", -9), ("6500", 4), ("2990", 5)], "Y", "gl"),
        (date(2025, 12, 31), [("3200", -9), ("6500", 4), ("2990", 5)], None, "gl"),
        (date(2025, 12, 31), [("3200", -9), ("6500", 4), ("2990", 5)], "X", "ar"),
        (date(2025, 12, 31), [("3200", -5), ("2990", 5)], "X", "gl"),
        (date(2025, 12, 31), [("3200", -9), ("3200", 4), ("2990", 5)], "X", "gl"),
        (date(2025, 12, 31), [("3200", -9), ("6500", 4), ("2990", 3), ("2300", 2)], "X", "gl"),
    ],
    ids=["other day", "other source", "no source", "invoice", "one account", "account twice", "two balance accounts"],
)
def test_what_only_resembles_a_closing_counts(
    with_views: Warehouse, day: date, lines: list[tuple[str, int]], source: str | None, module: str
) -> None:
    with with_views.open() as destination:
        rows = journal_entry(1, day, *lines, reference="X", source=source, module=module)
        load_window(destination, rows, window=DECEMBER)
    assert with_views.query("SELECT * FROM year_end_vouchers") == []
    assert with_views.query("SELECT sum(result) FROM profit_and_loss") == [(D(-5),)]


def test_the_balance_sheet_balances_with_the_result_not_yet_closed(with_views: Warehouse) -> None:
    fill_year_end(with_views)
    found = with_views.query(
        "SELECT month, side, accno, closing, brought_forward FROM balance_sheet ORDER BY month, side, accno"
    )
    october, november, december = (date(2025, month, 1) for month in (10, 11, 12))
    assert found == [
        (october, "assets", "1020", D(800), None),
        (october, "result", None, D(800), D(500)),
        (november, "assets", "1020", D(720), None),
        (november, "result", None, D(720), D(500)),
        (december, "assets", "1020", D(820), None),
        (december, "liabilities", "2300", D(20), None),
        (december, "liabilities", "2990", D(800), None),
        (december, "result", None, D(0), D(500)),
        (date(2026, 1, 1), "assets", "1020", D(790), None),
        (date(2026, 1, 1), "liabilities", "2300", D(20), None),
        (date(2026, 1, 1), "liabilities", "2990", D(800), None),
        (date(2026, 1, 1), "other", "7910", D(-40), None),
        (date(2026, 1, 1), "result", None, D(10), D(500)),
    ]
    assert (
        with_views.query(
            "SELECT month, sum(closing_raw) FROM balance_sheet GROUP BY month HAVING sum(closing_raw) <> 0"
        )
        == []
    )


def test_after_a_gap_the_result_of_before_follows_from_the_stated_openings(with_views: Warehouse) -> None:
    fill_company(with_views)
    assert with_views.query(
        "SELECT side, accno, closing, brought_forward, verdict, proven FROM balance_sheet "
        f"WHERE month = DATE '{NOVEMBER.start}' ORDER BY side, accno"
    ) == [
        ("assets", "1020", D(1250), None, "unproven", False),
        ("liabilities", "2100", D(1000), None, "unproven", False),
        ("result", None, D(250), D(250), "unproven", False),
    ]


def test_books_that_are_off_show_it_in_the_balance_sheet(with_views: Warehouse) -> None:
    with with_views.open() as destination:
        rows = [posting("1020", "-10.01"), posting("3200", "10.00", entry_id=2)]
        load_window(destination, rows, verdict="tolerated")
    assert with_views.query("SELECT sum(closing_raw) FROM balance_sheet") == [(D("-0.01"),)]


def test_an_opening_in_an_unknown_sign_makes_the_result_unknown(with_views: Warehouse) -> None:
    with with_views.open() as destination:
        load_window(destination, [posting("1020", -5)], stated=balances(("1020", "1000", "1005"), sign=None))
    assert with_views.query("SELECT side, closing FROM balance_sheet ORDER BY side") == [
        ("assets", None),
        ("result", None),
    ]


def test_the_kind_of_an_account_comes_with_its_source(with_views: Warehouse) -> None:
    fill_year_end(with_views)
    with with_views.open() as destination:
        rows = [posting("4000", -1), posting("8999", 1), posting("9100", 1), posting("A1", -1)]
        stated = pa.concat_tables([balances(("8999", None, "1")), balances(("4000", None, None), basis="from_to")])
        load_window(destination, rows, stated=stated)
    found = with_views.query(
        "SELECT accno, replace(kind, '_', ' '), kind_source FROM account_kinds "
        "WHERE accno IN ('1020', '7910', '4000', '8999', '9100', 'A1') ORDER BY accno"
    )
    assert found == [
        ("1020", "balance sheet", "first_digit"),
        ("4000", "income statement", "first_digit"),
        ("7910", "balance sheet", "mapping"),
        ("8999", "balance sheet", "basis"),
        ("9100", "closing", "first_digit"),
        ("A1", "unknown", "first_digit"),
    ]


def _keys(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return warehouse.query("SELECT voucher_key, line_hash FROM postings_keys ORDER BY 1, 2")


def test_keys_stay_when_a_voucher_is_saved_again(with_views: Warehouse) -> None:
    lines = [("1000", -5), ("1000", -5), ("3200", 10)]
    with with_views.open() as destination:
        load_window(destination, [posting(a, v, entry_id=n, notes="") for n, (a, v) in enumerate(lines)])
    before = _keys(with_views)
    with with_views.open() as destination:
        again = [posting(a, v, entry_id=90 - n, notes=None) for n, (a, v) in enumerate(lines)]
        load_window(destination, again, load="L2")
    assert _keys(with_views) == before
    assert {key for key, _ in before} == {"acme:gl:1"}
    assert len({line for _, line in before}) == 3
    assert with_views.query("SELECT occurrence FROM postings_keys ORDER BY accno, occurrence") == [(1,), (2,), (1,)]


@pytest.mark.parametrize(
    "change",
    [{"amount": D("-5.00000001")}, {"description": "other"}, {"transdate": date(2026, 8, 6)}, {"voucher_id": 2}],
    ids=lambda change: next(iter(change)),
)
def test_the_hash_of_a_line_follows_what_it_says(with_views: Warehouse, change: dict[str, Any]) -> None:
    with with_views.open() as destination:
        load_window(destination, [posting("1000", -5)])
    before = _keys(with_views)
    with with_views.open() as destination:
        load_window(destination, [{**posting("1000", -5), **change}], load="L2")
    assert _keys(with_views)[0][1] != before[0][1]


def test_a_line_of_two_tenants_has_two_keys(with_views: Warehouse) -> None:
    with with_views.open() as destination:
        load_window(destination, [posting("1000", -5)])
        load_window(destination, [posting("1000", -5)], tenant="other")
    (one, first), (other, second) = _keys(with_views)
    assert (one, other) == ("acme:gl:1", "other:gl:1")
    assert first != second


def test_empty_statements_of_an_empty_warehouse(with_views: Warehouse) -> None:
    with with_views.open():
        pass
    for view in ("account_kinds", "year_end_vouchers", "profit_and_loss", "balance_sheet", "postings_keys"):
        assert with_views.query(f"SELECT * FROM {view}") == []


def test_a_closing_that_the_ledger_books_is_told(company: Company, tmp_path: Path) -> None:
    company.voucher("GL-1", "2025-11-10", "1020", "2800", "1000")
    company.sale("R-1", "2025-11-15", net="300", tax="24.30")
    company.voucher("GL-2", "2025-12-31", "6500", "1020", "80")
    closing = company.post("/year-end", {"closing_date": "2025-12-31", "equity_accno": "2990"})
    warehouse = duckdb_warehouse(tmp_path / "ledger.duckdb")
    with company.client() as client, warehouse.open() as destination:
        extract_ledger(client, destination, from_date=date(2025, 11, 1), to_date=date(2025, 12, 31))
    assert warehouse.query(
        "SELECT voucher_id, equity_accno, result, swept_accounts, cleared_accounts FROM year_end_vouchers"
    ) == [(closing, "2990", D(220), 2, 2)]
    assert warehouse.query(
        "SELECT sum(result_cumulated), sum(result_with_closings_cumulated) FROM profit_and_loss "
        "WHERE month = DATE '2025-12-01'"
    ) == [(D(220), D(0))]
    assert warehouse.query("SELECT month FROM balance_sheet GROUP BY month HAVING sum(closing_raw) <> 0") == []
