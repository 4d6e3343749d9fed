"""Invoices and credit notes (one structure), in both methods: by articles, or booked with accounts and tax amounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_rma.schemas.amounts import Money, Price
from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.dates import CalendarDate
from airflow_provider_rma.schemas.fields import Boolean, Integer
from airflow_provider_rma.schemas.nested import Nested, WrappedList
from airflow_provider_rma.schemas.problems import Problem
from airflow_provider_rma.schemas.text import AccountNumber, AccountNumbers, Choice, Currency, Identifier, Text

#: A total or an amount paid that RMA would ignore is refused: the user may rely on it.
CANNOT_GIVE_TOTAL = "leave it out; to have the total checked, give expected_amount"
CANNOT_GIVE_PAID = "leave it out; payments are booked by themselves"


class InvoicePartSchema(EntitySchema):
    """A line of the article method: income account and tax come from the article."""

    entity = "part line"

    income_accno = AccountNumber(note="empty or 0: the article's own; on read the real account (seen in clients)")
    expense_accno = AccountNumber(note="empty or 0: the article's own")
    partnumber = Identifier(64, required=True, note="must exist in the tenant's master data; the limit is ours")
    description = Text(multiline=True, note="replaces the article's text")
    unit = Text(5)
    quantity = Price(required=True)
    sellprice = Price(required=True, note="unit price")
    discount = Price(note="percent")
    itemnote = Text(multiline=True)
    tax_accnos = AccountNumbers(note="separated by blanks, or a list (seen in clients)")
    serialnumber = Text()
    projectnumber = Text(note="on read only if set (seen in clients)")
    price_update = CalendarDate(is_timestamp=True, note="may be empty; the time of day is dropped")


class IncomeEntrySchema(EntitySchema):
    """A line of the booking method."""

    entity = "income entry"

    amount = Money(required=True, note="may be negative")
    income_accno = AccountNumber(required=True)
    description = Text(multiline=True)


class TaxEntrySchema(EntitySchema):
    """A tax amount of the booking method: the amount itself, no rate."""

    entity = "tax entry"

    amount = Money(required=True, note="the tax amount, not a rate")
    tax_accno = AccountNumber(required=True, note="VAT account")


class InvoiceSchema(EntitySchema):
    """An invoice or a credit note.

    Exactly one of ``customernumber`` and ``customer``, and exactly one of ``parts`` and ``incomeentries`` (with or
    without ``taxentries``), at least one line.
    """

    entity = "invoice"
    key = "invnumber"

    id = Integer(read_only=True, note="internal id, in lists (seen in clients)")
    invnumber = Identifier(64, required=True, note="identifies the invoice; the limit is ours")
    ordnumber = Text(note="order number; special characters made trouble (seen in clients)")
    status = Choice("OPEN", "PAID", "OVERDUE", default="OPEN", note="computed by RMA; ignored on write (inferred)")
    currency = Currency(default="CHF")
    ar_accno = AccountNumber(default="1100", note="receivables account; empty means the default")
    payment_accno = AccountNumber(note="account on which the payment is expected")
    transdate = CalendarDate(required=True, note="invoice date; decides the accounting period")
    duedate = CalendarDate(default="transdate")
    description = Text(multiline=True, note="title")
    notes = Text(multiline=True, note="printed")
    intnotes = Text(multiline=True, note="not printed")
    taxincluded = Boolean(default="false", note="prices include tax; the default is inferred")
    department = Text(note="on write name--id, on read the name")
    dcn = Text(note="QR reference; if empty RMA builds it from the number, which must then be digits only")
    language_code = Text(note="language of the template")
    amount = Money(read_only=True, refused=CANNOT_GIVE_TOTAL, note="total with tax")
    netamount = Money(read_only=True, refused=CANNOT_GIVE_TOTAL, note="total without tax")
    paid = Money(read_only=True, refused=CANNOT_GIVE_PAID, note="paid so far")
    customer = Nested(CustomerSchema, note="complete record: creates the customer or overwrites it")
    customernumber = Identifier(32, note="refers to an existing customer")
    parts = WrappedList(InvoicePartSchema, "part", note="article method")
    incomeentries = WrappedList(IncomeEntrySchema, "incomeentry", note="booking method")
    taxentries = WrappedList(TaxEntrySchema, "taxentry", note="booking method, tax amounts")

    def check_rules(self, given: Mapping[str, Any]) -> dict[str, list[Problem]]:
        found: dict[str, list[Problem]] = {}
        customer = _customer_problem(given)
        if customer:
            found["customernumber"] = [customer]
        for name, problem in find_method_problems(given, "incomeentries"):
            found.setdefault(name, []).append(problem)
        return found


def _customer_problem(given: Mapping[str, Any]) -> Problem | None:
    remedy = "give customernumber for an existing customer, or customer with the complete record to create one"
    if "customer" in given and "customernumber" in given:
        return Problem("is given together with customer", f"{remedy}, not both")
    if "customer" not in given and "customernumber" not in given:
        return Problem("is missing, and so is customer", remedy)
    return None


def find_method_problems(given: Mapping[str, Any], entries: str) -> list[tuple[str, Problem]]:
    """Find out whether a document uses neither of the two methods, or both.

    :param given: its fields that have a value.
    :param entries: list of the booking method: ``incomeentries`` or ``expenseentries``.
    """
    booked = [name for name in (entries, "taxentries") if name in given]
    if "parts" in given and booked:
        text = f"is given together with {' and '.join(booked)}"
        return [("parts", Problem(text, f"use parts (articles), or {entries} with taxentries (booking), not both"))]
    if "parts" in given or entries in given:
        return []
    if booked:
        kind = entries.removesuffix("entries")
        return [("taxentries", Problem(f"is given without {entries}", f"add the {kind} entries that are taxed"))]
    return [
        (
            "parts",
            Problem(
                "is missing: the invoice has no lines",
                f"give at least one line, in parts (articles) or in {entries} (booking)",
            ),
        )
    ]
