"""The totals of an invoice that follow from its content, by the ledger's own rules.

What RMA books for a document is computed by RMA; only what can be derived for certain is compared afterwards. The rules
(rounding half away from zero to two places after 15 significant digits, one rounding a line) were established on the
public ledger code behind RMA.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

_CENT = Decimal("0.01")
_HUNDRED = Decimal(100)
#: The ledger computes in doubles and formats them with 15 significant digits before it rounds.
_FIFTEEN = Context(prec=15)


@dataclass(frozen=True)
class Totals:
    """Totals in the document's currency; None where they do not follow from the document alone.

    :param net: total without tax.
    :param gross: total with tax.
    """

    net: Decimal | None
    gross: Decimal | None

    @property
    def amount(self) -> Decimal | None:
        """The gross total, or the net total where only that is known."""
        return self.gross if self.gross is not None else self.net


def round_amount(value: Decimal) -> Decimal:
    """Round to two places, half away from zero, as the ledger does."""
    return _FIFTEEN.plus(value).quantize(_CENT, rounding=ROUND_HALF_UP)


def line_amount(line: Mapping[str, Any]) -> Decimal:
    """Amount of an article line: price times quantity less the discount in percent, rounded once."""
    factor = (_HUNDRED - (line.get("discount") or Decimal(0))) / _HUNDRED
    return round_amount(line["sellprice"] * line["quantity"] * factor)


def derive_totals(invoice: Mapping[str, Any], expected_amount: Decimal | None = None) -> Totals:
    """Derive net and gross total of a valid invoice.

    Booking method: both, from entries and tax amounts. Article method: the net total, or the gross total where prices
    include tax; the rest depends on tax rates that only the tenant's master data know.

    :param invoice: an invoice as :class:`~airflow_provider_rma.schemas.invoice.InvoiceSchema` returns it.
    :param expected_amount: gross total given by the caller, which fills the gap.
    """
    included = bool(invoice.get("taxincluded", False))
    if invoice.get("parts"):
        total = sum((line_amount(line) for line in invoice["parts"]), Decimal(0))
        totals = Totals(None, total) if included else Totals(total, None)
    else:
        entries = _sum(invoice.get("incomeentries", ()))
        taxes = _sum(invoice.get("taxentries", ()))
        if included and not entries:
            # The ledger cannot take tax out of entries that add up to nothing: what it then books is not derived here.
            totals = Totals(None, None)
        else:
            totals = Totals(entries - taxes, entries) if included else Totals(entries, entries + taxes)
    if expected_amount is not None and totals.gross is None:
        totals = Totals(totals.net, expected_amount)
    return totals


def _sum(entries: Sequence[Mapping[str, Any]]) -> Decimal:
    return sum((entry["amount"] for entry in entries), Decimal(0))
