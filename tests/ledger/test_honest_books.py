"""Honest books can always be loaded, whatever the chart of accounts and the accountant's habits; their mirror image
cannot.

``HONEST_SEEDS=100 HONEST_FIRST=1000`` tries more random charts; a failure names its seed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger.company import Company, start
from tests.support.ledger.liar import PROVEN, REFUSED, Liar, Where, lie
from tests.support.ledger.lies.changes import amended, every, times
from tests.support.ledger.lies.requests import any_balance, postings
from tests.support.ledger.picture import books_picture, warehouse_picture
from tests.support.ledger.random_chart import ChartAccount, RandomChart, master_with
from tests.support.ledger.tampering_proxy import TamperingProxy
from tests.support.ledger.told_run import Run, run_extraction
from tests.support.ledger.warehouses import Warehouse, duckdb_warehouse
from tests.support.scope import scaled

SEEDS = int(os.environ.get("HONEST_SEEDS", scaled(3, 40)))
FIRST = int(os.environ.get("HONEST_FIRST", "0"))


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return duckdb_warehouse(tmp_path / "w.duckdb")


def extract(company: Company, warehouse: Warehouse, first: str, last: str) -> Run:
    """Extract whole months, ``2026-01`` to ``2026-03``."""
    return run_extraction(company, company.simulator.url, warehouse, from_date=f"{first}-01", to_date=f"{last}-28")


def months(first: str, last: str) -> list[str]:
    """Names of all months from one to another."""
    year, month = map(int, first.split("-"))
    found = [first]
    while found[-1] != last:
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        found.append(f"{year}-{month:02}")
    return found


def must_be_exact(run: Run, verdicts: frozenset[str] = frozenset({"exact"})) -> None:
    assert run.is_proven, f"{run.refused} {run.error} {run.results[0].reasons() if run.results else ''}"
    assert run.words <= verdicts, f"{run.words}: {run.results[0].reasons()}"


def must_hold_the_books(company: Company, warehouse: Warehouse, first: str, last: str) -> None:
    found = warehouse_picture(warehouse, months(first, last), company.simulator.db)
    for month, true in books_picture(company.simulator.db, found).items():
        assert found[month] == true, f"{month}:\n{true.difference(found[month])}"


def books_off_by(run: Run) -> Decimal:
    """The residual that a result states, one for all or by month: of the last month."""
    stated = run.results[0].as_dict()["books_off_by"]
    return Decimal(str([*stated.values()][-1] if isinstance(stated, Mapping) else stated))


# ---------------------------------------------------------------------- years


def never_closed(company: Company) -> None:
    company.voucher("G-1", "2024-01-01", "1020", "2990", "50000")
    company.sale("R-1", "2024-05-02", "600", "48.60")


def test_a_year_that_was_never_closed_is_exact(company: Company, warehouse: Warehouse) -> None:
    never_closed(company)
    must_be_exact(extract(company, warehouse, "2025-01", "2025-01"))
    must_hold_the_books(company, warehouse, "2025-01", "2025-01")


def test_books_of_a_year_that_was_never_closed_are_off_by_nothing(company: Company, warehouse: Warehouse) -> None:
    never_closed(company)
    assert books_off_by(extract(company, warehouse, "2025-01", "2025-01")) == 0


def off_by_a_rappen(company: Company) -> None:
    old = company.voucher("G-1", "2019-05-02", "1020", "2990", "50000")
    company.simulator.control("POST", f"/documents/{old}/unbalance", {"amount": "0.01"})
    company.sale("R-1", "2026-01-15", "600", "48.60")


def test_a_voucher_of_long_ago_that_is_off_by_a_rappen_worsens_no_later_month(
    company: Company, warehouse: Warehouse
) -> None:
    off_by_a_rappen(company)
    must_be_exact(extract(company, warehouse, "2026-01", "2026-02"))
    must_hold_the_books(company, warehouse, "2026-01", "2026-02")


def test_books_with_a_voucher_off_by_a_rappen_say_so(company: Company, warehouse: Warehouse) -> None:
    off_by_a_rappen(company)
    assert abs(books_off_by(extract(company, warehouse, "2026-01", "2026-02"))) == Decimal("0.01")


def traded(company: Company, first: str, last: str) -> None:
    """A sale, a payment, a purchase and a voucher in each month; capital before."""
    company.voucher("G-0", "2023-01-05", "1020", "2800", "100000")
    for month in months(first, last):
        sale = company.sale(f"R-{month}", f"{month}-05", "600", "48.60")
        company.pay(sale, f"{month}-20", "648.60")
        company.voucher(f"G-{month}", f"{month}-12", "6500", "1020", "12.35")
        company.voucher(f"M-{month}", f"{month}-13", "4200", "2000", "99.90")


def close_year(company: Company, day: str) -> None:
    company.post("/year-end", {"closing_date": day, "equity_accno": "2990"})


def test_a_fiscal_year_that_ends_in_june(company: Company, warehouse: Warehouse) -> None:
    traded(company, "2025-05", "2025-08")
    close_year(company, "2025-06-30")
    must_be_exact(extract(company, warehouse, "2025-05", "2025-08"))
    must_hold_the_books(company, warehouse, "2025-05", "2025-08")


def test_a_closing_that_is_booked_four_months_later(company: Company, warehouse: Warehouse) -> None:
    """The run of April reads two months, meets a broken link, and follows it to December."""
    traded(company, "2024-11", "2025-04")
    must_be_exact(extract(company, warehouse, "2024-11", "2025-04"))
    close_year(company, "2024-12-31")
    must_be_exact(extract(company, warehouse, "2025-03", "2025-04"))
    must_hold_the_books(company, warehouse, "2024-11", "2025-04")


def test_a_closing_that_is_repeated(company: Company, warehouse: Warehouse) -> None:
    traded(company, "2024-11", "2025-03")
    close_year(company, "2024-12-31")
    must_be_exact(extract(company, warehouse, "2024-11", "2025-03"))
    company.voucher("LATE", "2024-12-30", "6500", "1020", "480")
    close_year(company, "2024-12-31")
    must_be_exact(extract(company, warehouse, "2025-03", "2025-03"))
    must_hold_the_books(company, warehouse, "2024-11", "2025-03")


def test_a_closing_that_is_repeated_in_the_months_that_are_read(company: Company, warehouse: Warehouse) -> None:
    traded(company, "2024-11", "2025-01")
    for amount in ("480", "1.05"):
        company.voucher(f"LATE-{amount}", "2024-12-30", "6500", "1020", amount)
        close_year(company, "2024-12-31")
        must_be_exact(extract(company, warehouse, "2024-11", "2025-01"))
        must_hold_the_books(company, warehouse, "2024-11", "2025-01")


def test_a_voucher_that_is_dated_back_by_14_months(company: Company, warehouse: Warehouse) -> None:
    traded(company, "2024-11", "2026-01")
    must_be_exact(extract(company, warehouse, "2024-11", "2026-01"))
    company.voucher("BACK", "2024-11-15", "1000", "1020", "75")
    must_be_exact(extract(company, warehouse, "2026-01", "2026-01"))
    must_hold_the_books(company, warehouse, "2024-11", "2026-01")


def test_a_settlement_in_another_currency_that_changes_an_older_month(company: Company, warehouse: Warehouse) -> None:
    traded(company, "2026-01", "2026-02")
    fields = {"customernumber": "K-900", "currency": "EUR", "exchangerate": "0.93"}
    sale = company.sale("F-1", "2026-01-25", "100", "0", **fields)
    must_be_exact(extract(company, warehouse, "2026-01", "2026-02"))
    before = books_picture(company.simulator.db, ["2026-01"])
    company.pay(sale, "2026-02-24", "40", payment_accno="1021", exchangerate="0.95")
    company.voucher("BACK", "2026-01-30", "1000", "1020", "75")
    assert books_picture(company.simulator.db, ["2026-01"]) != before
    must_be_exact(extract(company, warehouse, "2026-02", "2026-02"))
    must_hold_the_books(company, warehouse, "2026-01", "2026-02")


def test_a_company_that_was_founded_within_the_period(company: Company, warehouse: Warehouse) -> None:
    company.voucher("G-1", "2026-03-02", "1020", "2800", "100000")
    company.sale("R-1", "2026-03-15", "600", "48.60")
    must_be_exact(extract(company, warehouse, "2025-12", "2026-03"))
    must_hold_the_books(company, warehouse, "2025-12", "2026-03")


def test_a_month_in_which_nothing_happened(company: Company, warehouse: Warehouse) -> None:
    traded(company, "2026-01", "2026-01")
    must_be_exact(extract(company, warehouse, "2026-01", "2026-03"))
    must_hold_the_books(company, warehouse, "2026-01", "2026-03")


def test_a_month_whose_vouchers_are_all_deleted(company: Company, warehouse: Warehouse) -> None:
    traded(company, "2026-01", "2026-01")
    voucher = company.voucher("G-1", "2026-02-10", "6500", "1020", "12")
    must_be_exact(extract(company, warehouse, "2026-01", "2026-02"))
    company.delete(voucher)
    must_be_exact(extract(company, warehouse, "2026-01", "2026-02"))
    must_hold_the_books(company, warehouse, "2026-01", "2026-02")


def test_amounts_with_more_decimals_than_balances_are_exact(company: Company, warehouse: Warehouse) -> None:
    traded(company, "2026-01", "2026-02")
    for number, month in enumerate(("2026-01", "2026-02")):
        rate = {"currency": "EUR", "exchangerate": f"0.95{number}123"}
        company.voucher(f"F-{number}", f"{month}-25", "6500", "1021", "33.33", **rate)
    must_be_exact(extract(company, warehouse, "2026-01", "2026-02"))
    must_hold_the_books(company, warehouse, "2026-01", "2026-02")


def test_an_account_that_gets_another_number(tmp_path: Path, warehouse: Warehouse) -> None:
    """Every month in which it was posted to has the new number afterwards, also one that the run was not asked for."""
    with start(tmp_path) as simulator:
        company = Company(simulator)
        traded(company, "2026-01", "2026-03")
        must_be_exact(extract(company, warehouse, "2026-01", "2026-03"))
    with closing(sqlite3.connect(tmp_path / "books.db")) as books:
        books.execute("UPDATE account SET accno = '6505' WHERE accno = '6500'")
        books.commit()
    with start(tmp_path) as simulator:
        company = Company(simulator)
        run = extract(company, warehouse, "2026-03", "2026-03")
        must_be_exact(run)
        assert "renumbered" in run.codes()
        assert run.results[0].as_dict()["renumbered"] == {"6500": "6505"}
        must_hold_the_books(company, warehouse, "2026-01", "2026-03")


# ---------------------------------------------------------------------- charts


@contextmanager
def company_with(accounts: list[ChartAccount], folder: Path) -> Iterator[Company]:
    with start(folder, master=master_with(accounts, folder / "master.json")) as simulator:
        yield Company(simulator)


CONTRA = [ChartAccount(accno, "A", contra=True) for accno in ("1109", "1509", "1539")]
CONTRA.append(ChartAccount("2850", "Q", contra=True))


def test_a_chart_with_as_many_contra_accounts_as_plain_ones(tmp_path: Path, warehouse: Warehouse) -> None:
    """1109, 1509, 1539 and 2850 beside 1000, 1020, 1100 and 2000."""
    with company_with(CONTRA, tmp_path) as company:
        company.voucher("G-0", "2025-01-05", "1020", "2000", "100000")
        company.voucher("G-1", "2026-01-05", "1000", "1020", "2000")
        company.sale("R-1", "2026-01-06", "600", "0")
        company.voucher("G-2", "2026-01-07", "2000", "1020", "300")
        for account in ("1109", "1509", "1539"):
            company.voucher(f"G-{account}", "2026-01-31", "6500", account, "100")
        company.voucher("G-2850", "2026-01-31", "2850", "1020", "500")
        must_be_exact(extract(company, warehouse, "2026-01", "2026-01"))
        must_hold_the_books(company, warehouse, "2026-01", "2026-01")


def test_account_numbers_of_three_to_six_digits(tmp_path: Path, warehouse: Warehouse) -> None:
    numbers = {"102": "A", "10201": "A", "102010": "A", "200": "L", "200010": "L", "320": "I", "320001": "I",
               "650": "E", "650001": "E"}  # fmt: skip
    with company_with([ChartAccount(accno, category) for accno, category in numbers.items()], tmp_path) as company:
        company.voucher("G-0", "2025-01-05", "102", "2800", "100000")
        for number, accno in enumerate(numbers):
            company.voucher(f"G-{accno}", "2026-01-10", accno, "1020", str(100 + number))
        must_be_exact(extract(company, warehouse, "2026-01", "2026-01"))
        must_hold_the_books(company, warehouse, "2026-01", "2026-01")


def test_credit_balances_among_the_assets(company: Company, warehouse: Warehouse) -> None:
    """Overdrawn accounts, and a customer who paid too much."""
    company.voucher("G-1", "2026-01-05", "6000", "1020", "2000")
    company.voucher("G-2", "2026-01-06", "6000", "1000", "30")
    sale = company.sale("R-1", "2026-01-07", "100", "8.10")
    company.pay(sale, "2026-01-08", "500")
    company.voucher("G-3", "2026-01-09", "2000", "1021", "70")
    company.voucher("G-4", "2026-01-10", "1021", "2800", "10")
    must_be_exact(extract(company, warehouse, "2026-01", "2026-02"))
    must_hold_the_books(company, warehouse, "2026-01", "2026-02")


def test_accounts_that_stand_still_have_a_sign(company: Company, warehouse: Warehouse) -> None:
    company.voucher("G-1", "2020-01-05", "1500", "2800", "20000")
    company.voucher("G-2", "2020-01-06", "1020", "2800", "9000")
    traded(company, "2026-01", "2026-01")
    must_be_exact(extract(company, warehouse, "2026-01", "2026-01"))
    must_hold_the_books(company, warehouse, "2026-01", "2026-01")
    signs = dict(warehouse.query("SELECT accno, sign FROM balances WHERE accno IN ('1500', '2800')"))
    assert signs == {"1500": -1, "2800": 1}


#: Either side of the figures is turned: with the postings, which are documented as debit negative, or the balances.
MIRRORS = {"postings": postings(), "balances": any_balance}


def must_not_be_accepted(
    company: Company, warehouse: Warehouse, where: Where, first: str, last: str, **parameters: Any
) -> Run:
    mirror = lie("the mirror image", where, amended(every, times("-1")), REFUSED)
    with Liar({"now": company.simulator.url}) as liar:
        liar.tell(mirror)
        period = {"from_date": f"{first}-01", "to_date": f"{last}-28"}
        run = run_extraction(company, liar.url, warehouse, **period | parameters)
        assert liar.told
    assert not run.is_proven, f"the mirror image is {run.words}"
    assert not run.words & PROVEN, "every month of it"
    return run


def many_accounts(company: Company) -> None:
    traded(company, "2026-01", "2026-01")


def few_accounts(company: Company) -> None:
    company.voucher("G-0", "2025-12-05", "1020", "2800", "100000")
    pairs = [("1000", "1020"), ("1020", "3400"), ("6500", "1020"), ("4200", "1000")]
    for number, (debit, credit) in enumerate(pairs):
        company.voucher(f"G-{number}", "2026-01-10", debit, credit, str(100 + 7 * number))


def mostly_expenses(company: Company) -> None:
    few_accounts(company)
    for accno in ("4000", "4400", "5000", "6000", "6510"):
        company.voucher(f"E-{accno}", "2026-01-11", accno, "1020", "12.35")


#: Books of which the mirror image looks like another reading, for all that the number of agreeing accounts says.
MIRRORED_BOOKS = [
    pytest.param(many_accounts),
    pytest.param(few_accounts),
    pytest.param(mostly_expenses),
]


@pytest.mark.parametrize("side", MIRRORS)
@pytest.mark.parametrize("keep", MIRRORED_BOOKS)
def test_the_mirror_image_of_books_is_refused(
    company: Company, warehouse: Warehouse, keep: Callable[[Company], None], side: str
) -> None:
    keep(company)
    must_not_be_accepted(company, warehouse, MIRRORS[side], "2026-01", "2026-01")


@pytest.mark.parametrize("keep", [many_accounts, few_accounts, mostly_expenses])
def test_books_that_are_not_mirrored_are_exact(
    company: Company, warehouse: Warehouse, keep: Callable[[Company], None]
) -> None:
    keep(company)
    must_be_exact(extract(company, warehouse, "2026-01", "2026-01"))
    must_hold_the_books(company, warehouse, "2026-01", "2026-01")


# ---------------------------------------------------------------------- one class moved, which two readings fit

INCOME = ChartAccount("7100", "I")


def one_class(company: Company, net: str = "600") -> None:
    """An invoice whose income is in a class that carries no reading, and money within class 1."""
    company.sale("R-1", "2026-01-06", net, "0", incomeentries=[{"amount": net, "income_accno": INCOME.accno}])
    company.voucher("G-1", "2026-01-08", "1000", "1020", "30")


@pytest.fixture
def small_company(tmp_path: Path) -> Iterator[Company]:
    with company_with([INCOME], tmp_path) as company:
        yield company


@pytest.mark.parametrize("form", ["xml", "json"])
def test_an_invoice_tells_debit_from_credit(small_company: Company, warehouse: Warehouse, form: str) -> None:
    one_class(small_company)
    with TamperingProxy(small_company.simulator.url) as proxy:
        run = run_extraction(
            small_company, proxy.url, warehouse, from_date="2026-01-01", to_date="2026-01-31", content_type=form
        )
        assert [target.split("/demo/")[1] for target in proxy.targets if "/invoices/" in target] == ["invoices/R-1"]
    must_be_exact(run)
    must_hold_the_books(small_company, warehouse, "2026-01", "2026-01")


def test_the_invoice_is_looked_up_once_for_good(small_company: Company, warehouse: Warehouse) -> None:
    one_class(small_company)
    must_be_exact(extract(small_company, warehouse, "2026-01", "2026-01"))
    small_company.voucher("G-2", "2026-02-08", "1030", "1020", "3")
    with TamperingProxy(small_company.simulator.url) as proxy:
        must_be_exact(run_extraction(small_company, proxy.url, warehouse, from_date="2026-01-01", to_date="2026-02-28"))
        assert not [target for target in proxy.targets if "/invoices/" in target]


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize("side", MIRRORS)
def test_the_mirror_image_of_one_class_is_refused(
    small_company: Company, warehouse: Warehouse, side: str, form: str
) -> None:
    one_class(small_company)
    run = must_not_be_accepted(
        small_company, warehouse, MIRRORS[side], "2026-01", "2026-01", content_type=form
    )  # fmt: skip
    assert run.codes() & {"postings_turned", "sign_unknown"}
    assert ("postings_turned" in run.codes()) == (side == "postings")


@pytest.mark.parametrize("side", MIRRORS)
def test_a_credit_note_tells_nothing(small_company: Company, warehouse: Warehouse, side: str) -> None:
    one_class(small_company, "-600")
    run = must_not_be_accepted(small_company, warehouse, MIRRORS[side], "2026-01", "2026-01")
    assert "no invoice of the month tells" in " ".join(run.results[0].reasons())


@pytest.mark.parametrize("side", MIRRORS)
def test_without_an_invoice_the_mirror_image_of_one_class_is_unproven(
    small_company: Company, warehouse: Warehouse, side: str
) -> None:
    small_company.voucher("G-1", "2026-01-08", "1000", "1020", "30")
    run = must_not_be_accepted(small_company, warehouse, MIRRORS[side], "2026-01", "2026-01")
    assert set(run.refused.values()) == {"unproven"}
    assert "no invoice of the month tells" in " ".join(run.results[0].reasons())


def test_the_payment_of_an_earlier_invoice_tells_nothing(small_company: Company, warehouse: Warehouse) -> None:
    """In the month, the receivables posting is a credit though the invoice is positive."""
    sale = small_company.sale(
        "R-1", "2025-12-06", "600", "0", incomeentries=[{"amount": "600", "income_accno": INCOME.accno}]
    )
    small_company.pay(sale, "2026-01-20", "600", payment_accno="1020")
    must_be_exact(extract(small_company, warehouse, "2026-01", "2026-01"))


MONTHS = ["2026-01", "2026-02"]


@contextmanager
def random_company(seed: int, folder: Path) -> Iterator[Company]:
    chart = RandomChart(seed)
    folder.mkdir(exist_ok=True)
    try:
        with company_with(chart.accounts, folder) as company:
            chart.keep(company, MONTHS)
            yield company
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, {chart.describe()}: {error}") from error


def test_books_on_any_chart_are_exact(tmp_path: Path, searched: Callable[[str], None]) -> None:
    for seed in range(FIRST, FIRST + SEEDS):
        with random_company(seed, tmp_path / str(seed)) as company:
            warehouse = duckdb_warehouse(tmp_path / f"{seed}.duckdb")
            must_be_exact(extract(company, warehouse, MONTHS[0], MONTHS[-1]))
            must_hold_the_books(company, warehouse, MONTHS[0], MONTHS[-1])
    searched(f"{SEEDS} charts from seed {FIRST}")


def test_the_mirror_image_of_books_on_any_chart_is_refused(tmp_path: Path, searched: Callable[[str], None]) -> None:
    for seed in range(FIRST, FIRST + SEEDS):
        with random_company(seed, tmp_path / str(seed)) as company:
            for side, where in MIRRORS.items():
                warehouse = duckdb_warehouse(tmp_path / f"{seed}-{side}.duckdb")
                must_not_be_accepted(company, warehouse, where, MONTHS[0], MONTHS[-1])
    searched(f"{SEEDS} charts from seed {FIRST}")
