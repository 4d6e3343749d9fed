"""Balances that the service states with four decimals, of postings with eight: what rounding loses is no difference."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.ledger.proof.accounts import AccountKinds
from airflow_provider_rma.ledger.proof.balances import BalanceStatement, StatedBalance, differing, read_statement
from airflow_provider_rma.ledger.windows import Window
from tests.support.ledger.fake_books import FakeBooks

amounts = st.decimals(min_value=-1_000_000, max_value=1_000_000, places=8)
RAPPEN = Decimal("0.01")


def stated(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.0001"), ROUND_HALF_UP)


@given(before=amounts, moved=amounts)
def test_what_moved_before_a_month_is_what_moved_until_the_month_before(before: Decimal, moved: Decimal) -> None:
    """It is the difference of two rounded figures, and held against a third."""
    statement = BalanceStatement(
        {"3400": StatedBalance("from_to", movement=stated(moved))}, {}, {"3400": stated(before + moved)}
    )
    others_before = statement.others_before or {}
    assert differing({"3400": stated(before)}, others_before, rounded=3) == []
    assert differing({"3400": stated(before) + RAPPEN}, others_before, rounded=3) == ["3400"]


@given(months=st.lists(amounts, min_size=1, max_size=12))
def test_a_year_is_the_sum_of_its_months(months: list[Decimal]) -> None:
    total, year = sum(map(stated, months), Decimal(0)), stated(sum(months, Decimal(0)))
    assert differing({"3400": total}, {"3400": year}, rounded=len(months) + 1) == []
    assert differing({"3400": total + RAPPEN}, {"3400": year}, rounded=len(months) + 1) == ["3400"]


def test_answers_to_the_same_question_are_compared_to_the_last_decimal() -> None:
    assert differing({"1020": Decimal("1.0001")}, {"1020": Decimal("1.0000")}) == ["1020"]
    assert differing({"1020": Decimal(0)}, {}) == []


FEBRUARY = Window.of(date(2026, 2, 1))


class Stated(FakeBooks):
    """Books whose service states other balances than theirs.

    :ivar off: what is added to balances, by kind of question (``opening``, ``closing``, ``moved``) and account.
    :ivar yearly: whether balances of income and expenses begin anew with each year.
    :ivar sheet_only: whether balances up to a day are those of the balance sheet alone.
    """

    off: dict[tuple[str, str], Decimal]
    yearly = False
    sheet_only = False

    def list_balances(self, *, from_date: date | None, to_date: date, **_: Any) -> Iterator[dict[str, Any]]:
        since = {None: "closing" if to_date == FEBRUARY.end else "opening", FEBRUARY.start: "moved"}
        question = since.get(from_date, "ever")
        for row in [*self._balances(from_date or date.min, to_date)]:
            accno = row["accountnumber"]
            if from_date is None and accno[0] not in "12":
                if self.sheet_only:
                    continue
                if self.yearly:
                    year = {each["accountnumber"]: each for each in self._balances(date(to_date.year, 1, 1), to_date)}
                    row = year.get(accno) or row | {"amount": Decimal(0)}
            yield row | {"amount": row["amount"] + self.off.get((question, accno), Decimal(0))}


def state(**off: dict[str, str]) -> Stated:
    books = Stated(chart={"1020": "Bank", "3400": "Sales", "3600": "Other sales", "6500": "Costs"})
    for number, (day, debit, credit) in enumerate(
        [("2025-05-04", "1020", "3400"), ("2026-01-05", "1020", "3600"), ("2026-02-06", "6500", "3400")]
    ):
        books.voucher(number, day, debit, credit, "100")
    books.off = {
        (kind, accno): Decimal(value) for kind, differences in off.items() for accno, value in differences.items()
    }
    return books


def contradictions(books: Stated) -> set[str]:
    return {*read_statement(books, FEBRUARY, AccountKinds(), in_full=True).contradictions}  # type: ignore[arg-type]


@pytest.mark.parametrize("question", ["opening", "closing", "moved"])
def test_an_answer_that_leaves_out_what_the_others_have_of_an_income_account_contradicts_them(question: str) -> None:
    assert contradictions(state(**{question: {"3400": "7"}})) == {"3400"}


def test_what_moved_contradicts_balances_that_agree_with_each_other() -> None:
    """A voucher on two accounts of the income statement, in the list and in what moved, and in no other answer."""
    assert contradictions(state(moved={"3400": "7", "6500": "-7"})) == {"3400", "6500"}


def test_figures_that_agree_are_no_contradiction() -> None:
    assert contradictions(state()) == set()


@pytest.mark.parametrize("reading", ["yearly", "sheet_only"])
def test_income_and_expenses_may_begin_anew_each_year_or_have_no_balance(reading: str) -> None:
    books = state()
    setattr(books, reading, True)
    assert contradictions(books) == set()
