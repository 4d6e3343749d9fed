"""Cancel booked invoices: each by a credit note that mirrors it, under a number that follows from its own.

The original is read from the books and turned round, so that original and credit note add up to nothing on every
account. The credit note is then billed like any other document: journalled, sent once, read back, compared.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from airflow_provider_rma.billing.booked import booked_customer
from airflow_provider_rma.billing.kinds.invoice import FIRST_DAY, LAST_DAY
from airflow_provider_rma.billing.kinds.invoice_document import EXPECTED_AMOUNT, read_invoice
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.billing.outcomes import Outcome
from airflow_provider_rma.billing.policy import InputRules
from airflow_provider_rma.billing.records.model import Record, RefusedRecord
from airflow_provider_rma.billing.totals import derive_totals
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import ConfigurationError, FieldProblem, InvalidInputError
from airflow_provider_rma.formatting import format_amount
from airflow_provider_rma.schemas.invoice import InvoiceSchema

#: First days on which a Swiss standard rate of VAT was in force: 8.0 % from 2011, 7.7 % from 2018, 8.1 % from 2024. The
#: reduced rate and the rate for lodging changed on some of the same days and on no others since 2011. Source: Swiss
#: VAT Act (SR 641.20), article 25, in its versions of these days.
VAT_CHANGES = (date(2011, 1, 1), date(2018, 1, 1), date(2024, 1, 1))

_SCHEMA = InvoiceSchema()
_NUMBER_LIMIT = next(spec.max_length or 0 for spec in _SCHEMA.field_specs() if spec.path == "invnumber")

#: What a credit note takes over from its original, apart from lines.
_HEADER = ("ordnumber", "currency", "ar_accno", "payment_accno", "taxincluded", "language_code")

#: Lists of lines, and the field of a line that is negated.
_LINES = {"parts": "quantity", "incomeentries": "amount", "taxentries": "amount"}

#: What a line must show to be turned round.
_NEEDED = {"parts": ("partnumber", "quantity", "sellprice"), "incomeentries": ("amount",), "taxentries": ("amount",)}

#: Of a line as read, what RMA sets for itself.
_NOT_TAKEN = {"price_update"}


@dataclass(frozen=True)
class Cancellation:
    """How invoices are cancelled.

    :param suffix: what the credit note's number has behind the original's.
    :param transdate: date of the credit notes; None is the date of each original. Never the day of the run: a retry
        after midnight would mean another document.
    :param reason: why, for the internal notes; not printed.
    """

    suffix: str = "-S"
    transdate: date | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.suffix or self.suffix != self.suffix.strip():
            raise ConfigurationError(
                "suffix: is empty, or begins or ends with a blank",
                advice="Give what tells a credit note's number from its original's, such as -S.",
            )


def read_transdate(value: date | str | None) -> date | None:
    """The date of credit notes as a user gives it.

    :param value: a date or ISO text; empty and None mean the date of each original.
    :raises ConfigurationError: for anything else.
    """
    if value is None or value == "":
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ConfigurationError(
            "transdate: is not a date",
            advice="Write it as year-month-day, such as 2026-03-31, or leave it out for the date of each original.",
        ) from error


def read_numbers(given: object) -> list[str]:
    """Numbers of invoices as a user gives them: one, a list, or the rows of a query with one column.

    :returns: the numbers in their order, each once.
    :raises ConfigurationError: if there is none, or something among them is no number.
    """
    items = [given] if isinstance(given, str | int) else list(given) if isinstance(given, Iterable) else []
    numbers: dict[str, str] = {}
    for position, item in enumerate(items, start=1):
        value = item[0] if isinstance(item, list | tuple) and len(item) == 1 else item
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            raise ConfigurationError(
                f"numbers: position {position} is no invoice number", advice="Give invoice numbers as text."
            )
        numbers.setdefault(normalize_number(str(value).strip()), str(value).strip())
    if not numbers:
        raise ConfigurationError("numbers: holds no invoice number", advice="Name the invoices to be cancelled.")
    return list(numbers.values())


def mirror_invoices(
    client: RunMyAccountsClient, numbers: Iterable[str], how: Cancellation, rules: InputRules
) -> Iterator[Record | RefusedRecord]:
    """Read booked invoices and turn each into the record of the credit note that cancels it.

    A source of records for a run. Either all of them can be cancelled, or the run is told of each that it is not sent.

    :param numbers: numbers of the originals, see :func:`read_numbers`.
    :param rules: what the run accepts.
    :raises InvalidInputError: behind the last record, if any of them cannot be cancelled, with all reasons.
    """
    wanted = list(numbers)
    mirror = _Mirror(how, rules, _BookedInvoices.read(client, wanted, how.suffix))
    records: list[Record] = []
    problems: dict[str, tuple[FieldProblem, ...]] = {}
    for position, number in enumerate(wanted, start=1):
        try:
            records.append(mirror.credit_note(number, position))
        except InvalidInputError as error:
            problems[number] = tuple(error.problems)
    if not problems:
        yield from records
        return
    for number in wanted:
        yield _refuse(number, problems.get(number, ()))
    every = [problem for found in problems.values() for problem in found]
    raise InvalidInputError(every, advice="Nothing was sent.")


def unusable_lines(original: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Why the lines of an invoice, as read from RMA, cannot be turned round: field, problem and remedy."""
    remedy = "have it cancelled in RMA"
    if not original.get("parts") and not original.get("incomeentries"):
        yield "", "RMA does not show its lines", remedy
        return
    for name, fields in _NEEDED.items():
        if any(line.get(field) is None for line in original.get(name, ()) for field in fields):
            yield name, "RMA does not show its lines in full", remedy
            return
    if (original.get("currency") or "CHF") != "CHF":
        # Whether RMA states a foreign-currency document's totals in CHF or in its currency is not known.
        return
    totals = derive_totals(original)
    for name, total in (("netamount", totals.net), ("amount", totals.gross)):
        booked = original.get(name)
        if total is not None and booked is not None and total != booked:
            yield (
                name,
                f"its lines as read add up to {format_amount(total)}, and {format_amount(booked)} are booked",
                remedy,
            )


def _refuse(number: str, problems: tuple[FieldProblem, ...]) -> RefusedRecord:
    """Say of an original that it is not cancelled, and why."""
    if problems:
        return RefusedRecord(number, Outcome.INVALID, tuple(map(str, problems)), {"invnumber": number})
    reason = "not sent: invoices that cannot be cancelled are among the numbers"
    return RefusedRecord(number, Outcome.HELD, (reason,), {"invnumber": number})


@dataclass(frozen=True)
class _BookedInvoices:
    """The documents that the books hold under the numbers of originals and of their credit notes, by key."""

    client: RunMyAccountsClient
    documents: Mapping[str, list[dict[str, Any]]]
    departments: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, client: RunMyAccountsClient, wanted: Iterable[str], suffix: str) -> _BookedInvoices:
        """Read the whole list once: only it shows whether a number stands on more than one document."""
        keys = {normalize_number(name) for number in wanted for name in (number, number + suffix)}
        documents: dict[str, list[dict[str, Any]]] = {}
        for entity in client.iter_invoices(from_date=FIRST_DAY, to_date=LAST_DAY):
            key = normalize_number(str(entity.get("invnumber") or ""))
            if key in keys:
                documents.setdefault(key, []).append(entity)
        return cls(client, documents)

    def under(self, number: str) -> list[dict[str, Any]]:
        """The documents of a number."""
        return self.documents.get(normalize_number(number), [])

    def department(self, name: str) -> str | None:
        """A department as it is written (``name--id``, inferred), from its name as it is read; None if unclear."""
        if not self.departments:
            for department in self.client.list_departments():
                number = str(department.get("id") or "")
                self.departments.setdefault(str(department.get("name") or ""), []).append(number)
        ids = self.departments.get(name, [])
        return f"{name}--{ids[0]}" if len(ids) == 1 and ids[0] else None


@dataclass(frozen=True)
class _Mirror:
    how: Cancellation
    rules: InputRules
    booked: _BookedInvoices

    def credit_note(self, number: str, position: int) -> dict[str, Any]:
        """The record of the credit note that cancels an invoice.

        :raises InvalidInputError: if there must not be one, with all reasons.
        """
        found = self.booked.under(number)
        problems = list(self._unclear(number, found))
        if len(found) == 1:
            problems += self._refusals(found[0])
        if problems:
            raise InvalidInputError(
                FieldProblem(f"invoice {number}" + (f": {name}" if name else ""), problem, remedy)
                for name, problem, remedy in problems
            )
        record = self._turned_round(found[0])
        read_invoice(record, position, self.rules)
        return record

    def _unclear(self, number: str, found: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
        """Why it is not clear what would be cancelled."""
        suffix = self.how.suffix
        if normalize_number(number).endswith(normalize_number(suffix)):
            problem = f"ends with {suffix}, so it is a cancellation itself"
            yield "", problem, "bill it anew under a new number if it was cancelled by mistake"
        if len(number) + len(suffix) > _NUMBER_LIMIT:
            problem = f"with {suffix} the credit note's number would be longer than {_NUMBER_LIMIT} characters"
            yield "invnumber", problem, "give a shorter suffix"
        if not found:
            yield "", "is not in the books", "check the number and the tenant; what is not booked needs no cancelling"
        elif len(found) > 1:
            ids = ", ".join(str(entity.get("id") or "?") for entity in found)
            yield "", f"stands on {len(found)} documents (ids {ids})", "have all but one removed in RMA"

    def _refusals(self, original: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
        """Why a document of the books must not be cancelled by this run."""
        currency = original.get("currency") or "CHF"
        if currency not in self.rules.currencies:
            allowed = ", ".join(sorted(self.rules.currencies))
            problem = f"{currency} is not among the currencies that may be billed ({allowed})"
            yield "currency", problem, "name it in allow_currency if foreign-currency invoices are meant"
        if original.get("paid") and not self.booked.under(str(original["invnumber"]) + self.how.suffix):
            yield (
                "paid",
                f"{currency} {format_amount(original['paid'])} are paid on it",
                "take the payment back in RMA and cancel then, or bill a credit note of your own (negative amounts) "
                "and pay that out",
            )
        if not booked_customer(original):
            yield "customernumber", "RMA does not say whose it is", "have it cancelled in RMA"
        if original.get("department") and self.booked.department(original["department"]) is None:
            problem = "RMA's list of departments does not name it, or names it twice"
            yield "department", problem, "have the list corrected, or the invoice cancelled in RMA"
        yield from unusable_lines(original)
        yield from self._tax_period(original)

    def _tax_period(self, original: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
        """RMA computes the tax of articles with the rate of the document's date (ledger code: rates have dates)."""
        day, other = self.how.transdate, original.get("transdate")
        if day is None or other is None or not original.get("parts"):
            return
        if bisect_right(VAT_CHANGES, day) != bisect_right(VAT_CHANGES, other):
            yield (
                "transdate",
                f"{day} and the original's date, {other}, lie in periods of different Swiss VAT rates, and RMA "
                "computes the tax of articles with the rate of the date",
                "leave transdate out: the credit note is then dated like its original",
            )

    def _turned_round(self, original: Mapping[str, Any]) -> dict[str, Any]:
        number = str(original["invnumber"])
        given = _SCHEMA.writable(original)
        record = {name: given[name] for name in _HEADER if given.get(name) not in (None, "")}
        record |= {
            "invnumber": number + self.how.suffix,
            "customernumber": booked_customer(original),
            "transdate": self.how.transdate or original.get("transdate"),
            "description": f"Storno Rechnung {number}",
            "intnotes": f"Storno Rechnung {number}" + (f": {self.how.reason}" if self.how.reason else ""),
        }
        if original.get("department"):
            record["department"] = self.booked.department(original["department"])
        for name, negated in _LINES.items():
            if original.get(name):
                record[name] = [_negated(line, negated) for line in given[name]]
        if (original.get("currency") or "CHF") == "CHF" and original.get("amount") is not None:
            record[EXPECTED_AMOUNT] = -original["amount"]
        return record


def _negated(line: Mapping[str, Any], name: str) -> dict[str, Any]:
    kept = {key: value for key, value in line.items() if value not in (None, "") and key not in _NOT_TAKEN}
    return kept | {name: -line[name]}
