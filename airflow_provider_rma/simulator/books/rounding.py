"""The ledger's arithmetic: doubles, written with 15 significant digits, rounded half away from zero.

The real ledger counts in binary doubles and its results carry their noise in a few places (a carry of half a
cent survives or not). The posting rules therefore compute in ``float`` on purpose, and amounts become
``Decimal`` the moment they are stored. Evidence: the posting oracle, which was made by the real ledger code.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal(0)
_QUANTA = {places: Decimal(1).scaleb(-places) for places in range(13)}


def to_stored(value: float) -> Decimal:
    """Return the decimal that ends up in the books for a double: 15 significant digits, no negative zero.

    :param value: any finite double.
    """
    result = Decimal(f"{value:.15g}")
    return result if result else ZERO


def round_half_up(value: float, places: int = 2) -> float:
    """Round as the ledger does: 15 significant digits first, then half away from zero.

    :param value: the double to round.
    :param places: decimal places, 0 to 12; the ledger uses 2 for money and 8 for general-ledger vouchers.
    """
    return float(Decimal(f"{value:.15g}").quantize(_QUANTA[places], ROUND_HALF_UP)) + 0.0


def to_float(value: object, default: float = 0.0) -> float:
    """Read a number as it was handed over (text, Decimal, int); empty means the default.

    :param value: the value; ``None`` and ``""`` are empty.
    :param default: what an empty value stands for.
    """
    if value is None or value == "":
        return default
    return float(str(value))


def count_decimals(value: object) -> int:
    """Count the decimal places with which a number was written, without trailing zeros.

    :param value: the number as text or Decimal.
    """
    exponent = Decimal(str(value)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
