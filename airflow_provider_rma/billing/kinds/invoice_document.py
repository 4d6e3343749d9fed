"""From a user's record to a document that may be sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from airflow_provider_rma.billing.kinds.base import Document
from airflow_provider_rma.billing.numbers import read_number
from airflow_provider_rma.billing.policy import InputRules
from airflow_provider_rma.billing.totals import Totals, derive_totals
from airflow_provider_rma.exceptions import FieldProblem, InvalidInputError
from airflow_provider_rma.formatting import format_amount
from airflow_provider_rma.schemas.amounts import Money
from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.invoice import InvoiceSchema

#: A field of a record that is not RMA's: the gross total the caller expects, in the invoice's currency.
EXPECTED_AMOUNT = "expected_amount"


class _ExpectationSchema(EntitySchema):
    """What a caller says of an invoice beside what is sent."""

    entity = "invoice"

    expected_amount = Money()


_SCHEMA = InvoiceSchema()
_EXPECTATION = _ExpectationSchema()


@dataclass(frozen=True)
class InvoiceDocument(Document):
    """A valid invoice or credit note, ready to be sent.

    :param position: position of its record in the input, from 1.
    :param invoice: the invoice in Python values, as :class:`InvoiceSchema` returns it.
    :param expected_amount: gross total the caller expects, in the invoice's currency.
    """

    position: int
    invoice: dict[str, Any]
    expected_amount: Decimal | None = None

    @property
    def number(self) -> str:
        """The invoice number."""
        return str(self.invoice["invnumber"])

    @property
    def booking_date(self) -> date:
        """Date of the invoice."""
        day: date = self.invoice["transdate"]
        return day

    @property
    def customernumber(self) -> str:
        """Number of the customer who is billed."""
        customer = self.invoice.get("customer")
        return str(customer["customernumber"] if customer else self.invoice["customernumber"])

    @property
    def currency(self) -> str:
        """Currency (ISO 4217); RMA's default is CHF."""
        return str(self.invoice.get("currency") or "CHF")

    @property
    def wire(self) -> dict[str, Any]:
        """The invoice as it is sent, in the mapped form."""
        return _SCHEMA.to_wire(self.invoice)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of what is sent."""
        text = json.dumps(self.wire, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def tagged(self) -> dict[str, Any]:
        """The invoice with its recovery tag as the last line of ``intnotes``, which is not printed."""
        notes = self.invoice.get("intnotes") or ""
        tag = recovery_tag(self.content_hash)
        return self.invoice | {"intnotes": f"{notes}\n{tag}" if notes else tag}

    @property
    def shape(self) -> tuple[str, ...]:
        """Method, tax included or not, currency, tax accounts, sign."""
        invoice, total = self.invoice, self.totals.amount
        taxes = {entry["tax_accno"] for entry in invoice.get("taxentries") or ()}
        return (
            "articles" if invoice.get("parts") else "booking",
            "included" if invoice.get("taxincluded") else "excluded",
            self.currency,
            " ".join(sorted(taxes)),
            "negative" if total is not None and total < 0 else "positive",
        )

    @cached_property
    def totals(self) -> Totals:
        """Net and gross total as far as they follow from the document."""
        return derive_totals(self.invoice, self.expected_amount)

    def to_json(self) -> dict[str, Any]:
        """Return the document in RMA's form, for :meth:`from_json`."""
        return {"wire": self.wire, "expected": None if self.expected_amount is None else str(self.expected_amount)}

    def to_record(self) -> dict[str, Any]:
        """Return the invoice with the total that is expected."""
        return self.invoice | ({} if self.expected_amount is None else {EXPECTED_AMOUNT: self.expected_amount})

    @classmethod
    def from_json(cls, position: int, values: Mapping[str, Any]) -> InvoiceDocument:
        """Read the document that :meth:`to_json` wrote."""
        expected = None if values["expected"] is None else Decimal(values["expected"])
        return cls(position, _SCHEMA.from_wire(values["wire"]), expected)


def recovery_tag(content_hash: str) -> str:
    """Return the tag by which a document in the books is known as one of ours, should the journal be lost."""
    return f"[rma {content_hash[:16]}]"


def read_invoice(record: Mapping[str, Any], position: int, rules: InputRules) -> InvoiceDocument:
    """Validate a record.

    :param record: RMA's fields in Python types or text, and optionally ``expected_amount`` (gross total).
    :param position: position of the record in the input, from 1.
    :raises InvalidInputError: naming every field that is wrong, what is wrong with it and what to do.
    """
    values = dict(record)
    number = read_number(values, "invnumber")
    path = f"invoice {number}" if number else f"record {position}"
    problems: list[FieldProblem] = []
    expected = _read_expected(values.pop(EXPECTED_AMOUNT, None), path, rules, problems)
    document = InvoiceDocument(position, {}, expected)
    try:
        invoice = _SCHEMA.from_user(
            values,
            path=path,
            input_timezone=rules.input_timezone,
            date_range=rules.date_range,
            notation=rules.notation,
        )
    except InvalidInputError as error:
        problems.extend(error.problems)
    else:
        document = InvoiceDocument(position, invoice, expected)
        problems.extend(_find_broken_rules(document, path, rules))
    if problems:
        raise InvalidInputError(problems)
    return document


def _read_expected(value: Any, path: str, rules: InputRules, problems: list[FieldProblem]) -> Decimal | None:
    if value is None:
        return None
    try:
        expectation = _EXPECTATION.from_user({EXPECTED_AMOUNT: value}, path=path, notation=rules.notation)
        amount: Decimal | None = expectation.get(EXPECTED_AMOUNT)
    except InvalidInputError as error:
        problems.extend(error.problems)
        return None
    return amount


def _find_broken_rules(document: InvoiceDocument, path: str, rules: InputRules) -> list[FieldProblem]:
    problems = []
    # Where the lines do not say the gross total, it is the expected one.
    expected, gross = document.expected_amount, document.totals.gross
    if expected is not None and gross is not None and expected != gross:
        problems.append(
            FieldProblem(
                f"{path}: {EXPECTED_AMOUNT}",
                f"is {format_amount(expected)}, and the lines add up to {format_amount(gross)}",
                "correct the lines or the expected total",
            )
        )
    currency = document.currency
    if currency not in rules.currencies:
        problems.append(
            FieldProblem(
                f"{path}: currency",
                f"{currency} is not among the currencies that may be billed ({', '.join(sorted(rules.currencies))})",
                "name it in allow_currency if foreign-currency invoices are meant",
            )
        )
    if document.invoice.get("customer") and not rules.send_customers:
        problems.append(
            FieldProblem(
                f"{path}: customer",
                "a full customer creates or overwrites master data in RMA",
                "give customernumber, or set send_customers=True if overwriting is meant",
            )
        )
    return problems
