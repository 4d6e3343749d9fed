"""Amounts: exact decimals from the first text to the last, never a float in between."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, ClassVar

from marshmallow import missing

from airflow_provider_rma.schemas.fields import RmaField, to_integer
from airflow_provider_rma.schemas.mapped import scalar_text
from airflow_provider_rma.schemas.notation import PLAIN, Notation
from airflow_provider_rma.schemas.problems import validation_error, wrong_type_error

_PLAIN = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_WIRE = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
#: Digits before the point, one more than a DOUBLE of the ledger holds exactly; beyond it a value on the wire is damage,
#: not money, and sums of it would overflow what decimals can carry.
_MAX_WHOLE_DIGITS = 16
_ONE = Decimal(1)
_HUGE = 10**40


def parse_wire_decimal(text: str) -> Decimal:
    """A DOUBLE of the wire: ``-106.92``, ``41557.6500`` and ``1.0E7`` are all legal (seen, documented).

    :raises ValidationError: if it is none.
    """
    if not _WIRE.fullmatch(text):
        raise validation_error("cannot be read as an amount")
    value = Decimal(text)
    if value.adjusted() >= _MAX_WHOLE_DIGITS:
        raise validation_error("cannot be read as an amount: it is too large")
    return value.quantize(_ONE) if value.as_tuple().exponent > 0 else value  # type: ignore[operator]


def format_wire_double(value: Decimal) -> str:
    """Text of a DOUBLE: decimal point, at least one decimal, no exponent (documented)."""
    if not value:
        return "0.0"
    text = format(value, "f")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"


class Amount(RmaField):
    """A DOUBLE with a fixed number of places for what users give.

    The ledger computes with 15 significant digits; the bound on the digits before the point keeps every value exact.

    :param decimals: most decimal places.
    """

    kind = "amount"
    decimals: ClassVar[int] = 2

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(decimals=self.decimals, max_digits=15, **kwargs)
        self.bound = Decimal(10) ** (15 - self.decimals)
        self.step = Decimal(1).scaleb(-self.decimals)

    def read_user(self, value: Any) -> Any:
        number = self._to_decimal(value)
        if number is missing:
            return missing
        if not number.is_finite():
            raise validation_error("is not a finite number", "give an amount; for no value leave the field out")
        if number and (number.adjusted() > 15 or abs(number) >= self.bound):
            digits = 15 - self.decimals
            raise validation_error(f"has more than {digits} digits before the decimal point", "correct the value")
        return self._quantize(number, isinstance(value, float))

    def _to_decimal(self, value: Any) -> Any:
        if isinstance(value, Decimal):
            return value
        if isinstance(value, float):
            return Decimal(float.__repr__(value))
        if isinstance(value, str):
            return self._parse(value.strip())
        number = to_integer(value)
        if number is not None:
            # Huge integers take minutes to convert, and are refused anyway.
            return Decimal(number) if abs(number) < _HUGE else Decimal(_HUGE)
        raise wrong_type_error(value, "a number", "give a Decimal, an int, or text such as 12.50")

    def _parse(self, text: str) -> Any:
        if not text:
            return missing
        notation: Notation = getattr(self.parent, "notation", PLAIN)
        if notation.number_format is not None:
            plain = notation.read_number(text)
            if plain is None:
                raise validation_error(
                    f"is not written as {notation.number_format}", "write it so, or correct number_format"
                )
            return Decimal(plain)
        if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
            return Decimal("NaN")
        if not _PLAIN.fullmatch(text):
            raise validation_error(
                "is not a number",
                "write it with a decimal point and nothing else, such as 1234.50, or name the source's number_format",
            )
        return Decimal(text)

    def _quantize(self, number: Decimal, was_float: bool) -> Decimal:
        places = -int(number.as_tuple().exponent)
        if places > self.decimals:
            places = -int(number.normalize().as_tuple().exponent) if len(number.as_tuple().digits) <= 28 else places
            if places > self.decimals and was_float:
                text = f"is a float that is no exact amount with at most {self.decimals} decimal places"
                raise validation_error(text, f"give a Decimal or text, rounded to {self.decimals} places")
            if places > self.decimals:
                text = f"has {places} decimal places, RMA takes at most {self.decimals}"
                raise validation_error(text, f"round it to {self.decimals} places")
            return number.quantize(self.step)
        return number.quantize(_ONE) if places < 0 else number

    def read_wire(self, value: Any) -> Decimal | None:
        text = scalar_text(value).strip()
        return parse_wire_decimal(text) if text else None

    def write_wire(self, value: Any) -> str:
        return format_wire_double(value)


class Money(Amount):
    """An amount of money: 2 places, the precision RMA books with (ledger code), below 10^13."""

    kind = "money"
    decimals = 2


class Price(Amount):
    """A price, a quantity, a percentage or an exchange rate: 6 places, below 10^9."""

    kind = "price"
    decimals = 6


class Balance(Amount):
    """A balance: 4 places (documented for the trial balance), below 10^11."""

    kind = "balance"
    decimals = 4
