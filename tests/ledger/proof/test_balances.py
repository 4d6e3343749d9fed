"""Balances that the service states with four decimals, of postings with eight: what rounding loses is no difference."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.ledger.proof.balances import BalanceStatement, StatedBalance, differing

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
