"""Documents for the simulator: as a client sends them, and as its books take them."""

from __future__ import annotations

from typing import Any


def invoice_request(
    number: str, day: str, *, due: str = "", customer: str = "K-001", price: str = "100.0"
) -> dict[str, Any]:
    """Build an invoice to POST, over one article without tax trouble."""
    return {
        "invnumber": number,
        "transdate": day,
        "duedate": due,
        "customernumber": customer,
        "parts": {"part": {"partnumber": "DL-302", "quantity": "1.0", "sellprice": price, "discount": "0.0"}},
    }


def gl_voucher(reference: str, day: str, debit: str, credit: str, amount: str, **more: str) -> dict[str, Any]:
    """Build a general-ledger voucher of two lines, for the books or the control endpoint."""
    return {
        "reference": reference,
        "transdate": day,
        "lines": [{"accno": debit, "debit": amount}, {"accno": credit, "credit": amount}],
        **more,
    }


def booking_invoice(number: str = "R-1", **changes: Any) -> dict[str, Any]:
    """Build an invoice of the booking method for the books: 99.00 and 8 % VAT of 2012."""
    return {
        "invnumber": number,
        "customernumber": "K-001",
        "transdate": "2012-08-06",
        "duedate": "2012-09-05",
        "incomeentries": [{"amount": "99.0", "income_accno": "3400", "description": ""}],
        "taxentries": [{"amount": "7.92", "tax_accno": "2201"}],
        **changes,
    }


def article_invoice(number: str = "A-1", **changes: Any) -> dict[str, Any]:
    """Build an invoice of the article method for the books, over 5 ART-1."""
    return {
        "invnumber": number,
        "customernumber": "K-001",
        "transdate": "2012-08-06",
        "lines": [{"partnumber": "ART-1", "quantity": "5.0", "sellprice": "99.0", "income_accno": "0"}],
        **changes,
    }
