"""The views, against figures worked out by hand, in every kind of warehouse."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.support.ledger.books_for_views import fill_company
from tests.support.ledger.warehouses import Warehouse
from tests.support.ledger.window_fixtures import (
    AUGUST,
    JULY,
    SEPTEMBER,
    TENANT,
    balances,
    load_window,
    posting,
    reject_window,
)


def test_the_trial_balance_runs_on_from_month_to_month(with_views: Warehouse) -> None:
    fill_company(with_views)
    found = with_views.query(
        "SELECT month, accno, opening, debit, credit, closing FROM trial_balance WHERE tenant = 'acme' ORDER BY 1, 2",
    )
    d = Decimal
    july, august, september, november = (date(2026, month, 1) for month in (7, 8, 9, 11))
    assert found == [
        (july, "1020", d(1000), d(0), d(0), d(1000)),
        (july, "1100", d(0), d(300), d(0), d(300)),
        (july, "2100", d(1000), d(0), d(0), d(1000)),
        (july, "3200", d(0), d(0), d(300), d(300)),
        (august, "1020", d(1000), d(300), d(0), d(1300)),
        (august, "1100", d(300), d(0), d(300), d(0)),
        (august, "2000", d(0), d(0), d(50), d(50)),
        (august, "2100", d(1000), d(0), d(0), d(1000)),
        (august, "3200", d(300), d(0), d(0), d(300)),
        (august, "6500", d(0), d(50), d(0), d(50)),
        (september, "1020", d(1300), d(0), d(0), d(1300)),
        (september, "2000", d(50), d(0), d(0), d(50)),
        (september, "2100", d(1000), d(0), d(0), d(1000)),
        (september, "3200", d(300), d(0), d(0), d(300)),
        (september, "6500", d(50), d(0), d(0), d(50)),
        # After the gap the chain starts anew: what the service states, and nothing for income and expenses.
        (november, "1020", d(1300), d(0), d(50), d(1250)),
        (november, "2000", d(50), d(50), d(0), d(0)),
        (november, "2100", d(1000), d(0), d(0), d(1000)),
    ]


def test_the_trial_balance_keeps_the_raw_sign_and_says_what_is_proven(with_views: Warehouse) -> None:
    fill_company(with_views)
    assert with_views.query(
        "SELECT account_name, opening_raw, movement_raw, closing_raw, verdict, proven FROM trial_balance "
        "WHERE accno IN ('1020', '2100') ORDER BY month, accno",
    ) == [
        ("Bank", Decimal(-1000), Decimal(0), Decimal(-1000), "exact", True),
        ("Konto 2100", Decimal(1000), Decimal(0), Decimal(1000), "exact", True),
        ("Bank", Decimal(-1000), Decimal(-300), Decimal(-1300), "tolerated", True),
        ("Konto 2100", Decimal(1000), Decimal(0), Decimal(1000), "tolerated", True),
        ("Bank", Decimal(-1300), Decimal(0), Decimal(-1300), "exact", True),
        ("Konto 2100", Decimal(1000), Decimal(0), Decimal(1000), "exact", True),
        ("Bank", Decimal(-1300), Decimal(50), Decimal(-1250), "unproven", False),
        ("Konto 2100", Decimal(1000), Decimal(0), Decimal(1000), "unproven", False),
    ]


def test_an_opening_in_an_unknown_sign_is_not_guessed(with_views: Warehouse) -> None:
    with with_views.open() as destination:
        load_window(destination, [posting("1020", -5)], stated=balances(("1020", "1000", "1005"), sign=None))
    assert with_views.query("SELECT opening, debit, closing FROM trial_balance") == [(None, Decimal(5), None)]
    assert with_views.query("SELECT debit, balance FROM general_ledger") == [(Decimal(5), None)]


def test_the_general_ledger_has_the_balance_after_each_posting(with_views: Warehouse) -> None:
    fill_company(with_views)
    assert with_views.query(
        "SELECT transdate, entry_id, debit, credit, balance, balance_raw FROM general_ledger "
        "WHERE accno = '1020' ORDER BY transdate, module, reference, voucher_id, entry_id",
    ) == [
        (date(2026, 8, 20), 9, Decimal(200), Decimal(0), Decimal(1200), Decimal(-1200)),
        (date(2026, 8, 20), 7, Decimal(100), Decimal(0), Decimal(1300), Decimal(-1300)),
        (date(2026, 11, 5), 12, Decimal(0), Decimal(50), Decimal(1250), Decimal(-1250)),
    ]
    assert with_views.query("SELECT balance FROM general_ledger WHERE accno = '3200'") == [(Decimal(300),)]


def test_balances_of_two_tenants_do_not_mix(with_views: Warehouse) -> None:
    with with_views.open() as destination:
        load_window(destination, [posting("1000", -1)])
        load_window(destination, [posting("1000", -10)], tenant="other")
    assert with_views.query("SELECT tenant, balance FROM general_ledger ORDER BY 1") == [
        (TENANT, Decimal(1)),
        ("other", Decimal(10)),
    ]


def test_proven_postings_are_those_of_windows_whose_loaded_verdict_holds(with_views: Warehouse) -> None:
    with with_views.open() as destination:
        load_window(destination, [posting("1000", 1)], window=JULY)
        load_window(destination, [posting("1000", 2)], window=AUGUST, verdict="tolerated")
        load_window(destination, [posting("1000", 3)], window=SEPTEMBER, verdict="broken")
        reject_window(destination, window=JULY)
    assert with_views.query("SELECT amount FROM postings_proven ORDER BY 1") == [(Decimal(1),), (Decimal(2),)]


@pytest.mark.parametrize("first_loaded", [True, False])
def test_windows_show_what_is_loaded_and_what_was_refused_since(with_views: Warehouse, first_loaded: bool) -> None:
    with with_views.open() as destination:
        if first_loaded:
            load_window(destination, [posting("1000", 1)])
        reject_window(destination, verdict="suspicious_empty")
    kept: tuple[Any, ...] = (True, True, "exact", "L1") if first_loaded else (False, False, None, None)
    assert with_views.query("SELECT * FROM windows") == [
        (TENANT, AUGUST.start, *kept, "suspicious_empty", "L2"),
    ]


def test_an_empty_warehouse_has_empty_views(with_views: Warehouse) -> None:
    with with_views.open():
        pass
    for view in ("windows", "trial_balance", "general_ledger", "postings_proven"):
        assert with_views.query(f"SELECT * FROM {view}") == []
