"""The residual of the books: the balances of all accounts together, which is zero but for vouchers that do not balance.

Balance-sheet accounts count with their balance, all others with what moved on them since the beginning, year-end
vouchers included. So it does not depend on whether years were ever closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from airflow_provider_rma.ledger.proof.balances import STATED_SCALE, ZERO, BalanceStatement
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention

#: Decimals of a franc that vouchers in francs have; more come from exchange rates, and are rounded when stated.
_CENTS = 2
#: Half a rappen: what rounding can hide of all balances together, at most.
_MOST_ROUNDING = Decimal("0.005")


@dataclass(frozen=True)
class Residual:
    """Sum of all balances at the end of a window, raw.

    :param amount: the sum, without accounts of unknown sign; zero if rounding alone explains it.
    :param rounding: what rounding can explain.
    :param assumed: accounts whose sign is only that of their class.
    :param unknown: accounts whose sign nothing tells.
    """

    amount: Decimal
    rounding: Decimal
    assumed: tuple[str, ...]
    unknown: tuple[str, ...]

    def is_near(self, one: Decimal, other: Decimal) -> bool:
        """Whether two residuals differ by no more than rounding explains."""
        return abs(one - other) <= self.rounding


def sum_balances(statement: BalanceStatement, convention: SignConvention) -> Residual:
    """Sum all balances of a statement that was asked for in full."""
    amounts = {**statement.closings, **(statement.others or {})}
    expected = {accno: convention.expected_sign(accno) for accno in amounts if convention.sign(accno) is None}
    signs: dict[str, int] = {accno: convention.signs[accno] for accno in amounts if accno in convention.signs}
    signs |= {accno: sign for accno, sign in expected.items() if sign is not None}
    total = sum((sign * amounts[accno] for accno, sign in signs.items()), ZERO)
    rounding = _rounding(amounts.values())
    return Residual(
        amount=ZERO if abs(total) <= rounding else total + ZERO,
        rounding=rounding,
        assumed=tuple(sorted(accno for accno, sign in expected.items() if sign is not None)),
        unknown=tuple(sorted(accno for accno, sign in expected.items() if sign is None)),
    )


def _rounding(amounts: Iterable[Decimal]) -> Decimal:
    fractional = sum(1 for amount in amounts if amount != round(amount, _CENTS))
    return min(fractional * Decimal(5).scaleb(-STATED_SCALE - 1), _MOST_ROUNDING)


def format_books_off_by(amount: Decimal | None) -> str | None:
    """Format a residual for a result: at least two places, no exponent."""
    if amount is None:
        return None
    whole, _, places = format(amount + ZERO, "f").partition(".")
    return f"{whole}.{places.rstrip('0').ljust(_CENTS, '0')}"
