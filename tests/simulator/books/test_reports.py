"""Account transactions, balances and the year-end closing of the simulator's books."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.books.reports import apply_natural_sign, matches_pattern


def voucher(books: Books, day: str, debit: str, credit: str, amount: str, **more: Any) -> int:
    """Post a voucher of two lines."""
    lines = [{"accno": debit, "debit": amount, "memo": "Soll"}, {"accno": credit, "credit": amount, "source": "B1"}]
    return books.post_gl({"transdate": day, "reference": f"GL {day}", "lines": lines, **more})


def balances(books: Books, *arguments: Any, **filters: Any) -> dict[str, Decimal]:
    return {row["accno"]: row["amount"] for row in books.balances(*arguments, **filters)}


@pytest.fixture
def year(books: Books) -> Books:
    """Opening 2023, sales and rent in 2024 and 2025."""
    voucher(books, "2023-12-31", "1020", "2800", "100000")
    voucher(books, "2024-06-30", "1020", "3200", "5000.05", department="Hüttenshop")
    voucher(books, "2024-07-31", "6000", "1020", "1200")
    voucher(books, "2025-01-31", "1020", "3200", "300")
    return books


@pytest.mark.parametrize(
    ("pattern", "accno", "fits"),
    [
        ("x", "1000", True),
        ("X", "38011", True),
        ("15xx", "1590", True),
        ("15xx", "15901", False),
        ("15xx", "1600", False),
        ("2xxx", "2201", True),
        ("xxxx", "38011", False),
        ("1000", "1000", True),
        ("1.00", "1000", False),
    ],
)
def test_wildcard(pattern: str, accno: str, fits: bool) -> None:
    assert matches_pattern(pattern, accno) is fits


def test_postings_carry_their_voucher(books: Books) -> None:
    number = voucher(books, "2025-01-31", "6500", "1000", "12.5", description="Papier", notes="n", intnotes="i",
                     department="Lager Talstation")  # fmt: skip
    [cash] = books.postings("1000")
    entries = books.document(number)["postings"]
    department = books.find_department("Lager Talstation")
    assert cash == {
        "entry_id": entries[1]["entry_id"], "id": number, "accno": "1000", "account_description": "Kasse",
        "transdate": "2025-01-31", "reference": "GL 2025-01-31", "description": "Papier", "amount": Decimal("12.5"),
        "module": "gl", "source": "B1", "memo": "", "notes": "n", "intnotes": "i", "department": department,
        "fx_transaction": False,
    }  # fmt: skip
    [paper] = books.postings("65xx")
    assert (paper["amount"], paper["memo"]) == (Decimal("-12.5"), "Soll")


def test_postings_are_ordered_by_date_reference_and_description(books: Books) -> None:
    for reference, description, day in (("B", "", "2025-01-02"), ("A", "z", "2025-01-02"), ("A", "a", "2025-01-02"),
                                        ("C", "", "2025-01-01")):  # fmt: skip
        voucher(books, day, "6500", "1000", "1", reference=reference, description=description)
    found = [(row["transdate"], row["reference"], row["description"]) for row in books.postings("1000")]
    assert found == sorted(found)
    assert found[0][1] == "C"


def test_rows_of_zero_are_no_account_transactions(books: Books) -> None:
    lines = [{"partnumber": "ART-1", "quantity": "1"}, {"partnumber": "ART-2", "quantity": "1"}]
    number = books.post_invoice({"customernumber": "K-001", "transdate": "2025-01-02", "lines": lines})
    assert [posting["amount"] for posting in books.document(number)["postings"]].count(Decimal(0)) == 1
    assert all(row["amount"] for row in books.postings())
    assert books.count_postings() == len(list(books.postings())) == 3


def test_posting_dates_are_inclusive(year: Books) -> None:
    assert [row["transdate"] for row in year.postings("1020", "2024-06-30", "2024-07-31")] == [
        "2024-06-30",
        "2024-07-31",
    ]
    assert year.count_postings("1020", "2024-06-30", "2024-07-31") == 2
    assert year.count_postings("9xxx") == 0
    assert list(year.postings("9999")) == []


def test_openings_and_closings_are_marked_rows(year: Books) -> None:
    found = list(year.postings("x", "2025-01-01", "2025-01-31", True, True))
    assert len(found) == year.count_postings("x", "2025-01-01", "2025-01-31", True, True)
    openings = {row["accno"]: row["amount"] for row in found if row["reference"] == "Eröffnungssaldo"}
    assert openings == {
        "1020": Decimal("-103800.05"), "2800": Decimal("100000"), "3200": Decimal("5000.05"), "6000": Decimal("-1200"),
    }  # fmt: skip
    closings = {row["accno"]: row["amount"] for row in found if row["reference"] == "Schlusssaldo"}
    assert closings["1020"] == Decimal("-104100.05")
    assert {row["entry_id"] for row in found if row["id"] == 0} == {0}
    assert found[0]["id"] == found[-1]["id"] == 0
    assert sum(1 for row in found if row["id"]) == 2
    assert not [row for row in year.postings(include_openings=True) if row["id"] == 0], "no start, no opening"


def test_balances_are_natural(year: Books) -> None:
    assert balances(year, to_date="2024-12-31") == {
        "1020": Decimal("103800.05"), "2800": Decimal("100000"), "3200": Decimal("5000.05"), "6000": Decimal("1200"),
    }  # fmt: skip


def test_contra_accounts_are_turned_once_more() -> None:
    assert apply_natural_sign(Decimal(5), {"category": "A", "contra": False}) == Decimal(-5)
    assert apply_natural_sign(Decimal(5), {"category": "A", "contra": True}) == Decimal(5)
    assert apply_natural_sign(Decimal(5), {"category": "L", "contra": True}) == Decimal(-5)
    assert str(apply_natural_sign(Decimal(0), {"category": "A", "contra": False})) == "0"


def test_balances_of_a_period_with_and_without_openings(year: Books) -> None:
    assert balances(year, "x", "2024-07-01", "2024-12-31", include_openings=False) == {
        "1020": Decimal("-1200"), "6000": Decimal("1200"),
    }  # fmt: skip
    with_openings = balances(year, "x", "2024-07-01", "2024-12-31")
    assert with_openings == {"1020": Decimal("103800.05"), "6000": Decimal("1200")}, "only moved accounts are listed"
    assert balances(year, "3xxx", "2025-01-01", "2025-12-31") == {"3200": Decimal("5300.05")}, "years are not reset"


def test_opening_and_movements_make_the_closing(year: Books) -> None:
    before = balances(year, to_date="2024-06-30")["1020"]
    movements = sum(row["amount"] for row in year.postings("1020", "2024-07-01", "2025-01-31"))
    assert before - movements == balances(year, to_date="2025-01-31")["1020"]


def test_balances_of_a_department(year: Books) -> None:
    assert balances(year, department="Hüttenshop") == {"1020": Decimal("5000.05"), "3200": Decimal("5000.05")}
    assert balances(year, department="Keller") == {}


def test_balances_of_a_project(books: Books) -> None:
    lines = [
        {"partnumber": "ART-1", "quantity": "1", "projectnumber": "2501"},
        {"partnumber": "ART-1", "quantity": "2"},
    ]
    books.post_invoice({"customernumber": "K-001", "transdate": "2025-01-02", "lines": lines})
    assert balances(books, project="2501") == {"3400": Decimal("99")}
    assert balances(books, project="Umbau Gratblick-Hütte") == {"3400": Decimal("99")}
    assert balances(books, project="9") == {}


def test_balances_without_exchange_rows(books: Books) -> None:
    voucher(books, "2025-01-02", "1021", "3200", "100", currency="EUR", exchangerate="0.95")
    assert balances(books, "1021") == {"1021": Decimal("95")}
    assert balances(books, "1021", main_currency=False) == {"1021": Decimal("100")}
    assert [row["fx_transaction"] for row in books.postings("1021")] == [False, True]


def test_sums_are_exact_for_eight_decimals(books: Books) -> None:
    for _ in range(3):
        voucher(books, "2025-01-02", "6500", "1000", "0.33333333")
    assert balances(books, "6500") == {"6500": Decimal("0.99999999")}
    voucher(books, "2025-01-03", "6500", "1000", "90000000000")
    voucher(books, "2025-01-03", "6500", "1000", "90000000000.01")
    assert balances(books, "6500") == {"6500": Decimal("180000000001.00999999")}


def test_year_end_is_an_ordinary_voucher(year: Books) -> None:
    number = year.year_end("2024-12-31", reference="JA-24")
    rows = [(row["accno"], row["amount"], row["source"]) for row in year.document(number)["postings"]]
    assert rows == [
        ("3200", Decimal("-5000.05"), "JA-24"),
        ("6000", Decimal("1200"), "JA-24"),
        ("2990", Decimal("3800.05"), "JA-24"),
    ]
    assert year.document(number)["module"] == "gl"
    assert [row["id"] for row in year.postings("2990")] == [number]
    assert balances(year, to_date="2024-12-31")["3200"] == 0
    without = balances(year, to_date="2024-12-31", exclude_yearend=True)
    assert without["3200"] == Decimal("5000.05")
    assert "2990" not in without


def test_next_closing_starts_after_the_last(year: Books) -> None:
    year.year_end("2024-12-31")
    second = year.year_end("2025-12-31")
    assert [(row["accno"], row["amount"]) for row in year.document(second)["postings"]] == [
        ("3200", Decimal("-300")),
        ("2990", Decimal("300")),
    ]
    assert balances(year)["2990"] == Decimal("4100.05")


def test_closing_earlier_again_deletes_the_later_closings(year: Books) -> None:
    first = year.year_end("2024-12-31")
    second = year.year_end("2025-12-31")
    again = year.year_end("2024-12-31")
    for gone in (first, second):
        with pytest.raises(KeyError):
            year.document(gone)
    assert balances(year)["2990"] == Decimal("3800.05")
    year.delete(again)
    assert "2990" not in balances(year)


def test_closing_needs_its_equity_account(year: Books) -> None:
    with pytest.raises(RefusalError, match="2999"):
        year.year_end("2024-12-31", equity_accno="2999")
    assert len(year.latest_vouchers(10)) == 4


def test_latest_vouchers_come_newest_first(year: Books) -> None:
    latest = year.latest_vouchers(2)
    assert [entry["transdate"] for entry in latest] == ["2025-01-31", "2024-07-31"]
    assert len(latest[0]["postings"]) == 2
