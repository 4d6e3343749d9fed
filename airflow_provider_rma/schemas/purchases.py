"""Vendors and vendor invoices ("payables"), by articles, or booked with accounts and tax amounts.

Only reading is well known; the documented entities name mandatory fields, so they can be written as well (inferred).
The limits of vendors are those of customers, which share the ledger's columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_rma.schemas.amounts import Money
from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.dates import CalendarDate
from airflow_provider_rma.schemas.fields import Boolean, Integer
from airflow_provider_rma.schemas.invoice import (
    CANNOT_GIVE_PAID,
    CANNOT_GIVE_TOTAL,
    InvoicePartSchema,
    TaxEntrySchema,
    find_method_problems,
)
from airflow_provider_rma.schemas.nested import Nested, WrappedList
from airflow_provider_rma.schemas.problems import Problem
from airflow_provider_rma.schemas.text import AccountNumber, Choice, Currency, Identifier, Text


class VendorSchema(EntitySchema):
    """A vendor, by itself and inside a vendor invoice. Sending one overwrites all of its master data (inferred)."""

    entity = "vendor"
    key = "vendornumber"

    id = Integer(read_only=True, note="internal id")
    vendornumber = Identifier(32, required=True, note="identifies the vendor")
    name = Text(64, required=True, note="company or full name")
    created = CalendarDate(read_only=True, is_timestamp=True)
    salutation = Text(32)
    firstname = Text(32)
    lastname = Text(32)
    terms = Integer(maximum=32767, note="payment term in days; the upper bound is the ledger's column")
    address1 = Text(32)
    address2 = Text(32)
    zipcode = Text(10)
    city = Text(32)
    state = Text(32)
    country = Text(32, note="free text, no code")
    phone = Text(20)
    fax = Text(20)
    mobile = Text(20)
    email = Text()
    taxnumber = Text(32)
    arap_accno = AccountNumber(default="2000", note="payables account; empty means the default")
    payment_accno = AccountNumber(default="1020", note="payment account; empty means the default")
    bank_name = Text(64)
    bank_address1 = Text(32)
    bank_address2 = Text(32)
    bank_zipcode = Text(10)
    bank_city = Text(32)
    bank_country = Text(32)
    bank_iban = Text(34)
    bank_bic = Text(11)


class ExpenseEntrySchema(EntitySchema):
    """A line of the booking method."""

    entity = "expense entry"

    amount = Money(required=True, note="may be negative")
    expense_accno = AccountNumber(required=True)
    description = Text(multiline=True, note="inferred from the entries of invoices")
    projectNumber = Text(note="on read only if set (seen in clients)")  # noqa: N815 - RMA's spelling


class PayableSchema(EntitySchema):
    """A vendor invoice or the credit note of a vendor.

    Exactly one of ``parts`` and ``expenseentries`` (with or without ``taxentries``), at least one line.
    """

    entity = "payable"
    key = "invnumber"

    id = Integer(read_only=True, note="internal id, in lists (seen in clients)")
    invnumber = Identifier(
        64, required=True, note="the vendor's number: two vendors may use the same; the limit is ours"
    )
    ordnumber = Text(note="order number")
    status = Choice("OPEN", "PAID", "OVERDUE", default="OPEN", note="computed by RMA; ignored on write (inferred)")
    currency = Currency(default="CHF")
    ap_accno = AccountNumber(default="2000", note="payables account; empty means the default")
    transdate = CalendarDate(required=True, note="invoice date; decides the accounting period")
    duedate = CalendarDate(default="transdate")
    description = Text(multiline=True, note="title")
    notes = Text(multiline=True)
    intnotes = Text(multiline=True)
    taxincluded = Boolean(default="false", note="prices include tax; the default is inferred")
    department = Text(note="name of the department")
    dcn = Text(note="payment reference of the vendor")
    amount = Money(read_only=True, refused=CANNOT_GIVE_TOTAL, note="total with tax")
    netamount = Money(read_only=True, refused=CANNOT_GIVE_TOTAL, note="total without tax")
    paid = Money(read_only=True, refused=CANNOT_GIVE_PAID, note="paid so far")
    paymentAccno = AccountNumber(  # noqa: N815 - RMA's spelling
        default="1020", note="account on which the payment is expected; the camel case is RMA's"
    )
    vendor = Nested(VendorSchema, required=True, note="complete record: creates the vendor or overwrites it (inferred)")
    parts = WrappedList(InvoicePartSchema, "part", note="article method")
    expenseentries = WrappedList(ExpenseEntrySchema, "expenseentry", note="booking method (seen in clients)")
    taxentries = WrappedList(TaxEntrySchema, "taxentry", note="booking method, tax amounts (inferred)")

    def check_rules(self, given: Mapping[str, Any]) -> dict[str, list[Problem]]:
        found: dict[str, list[Problem]] = {}
        for name, problem in find_method_problems(given, "expenseentries"):
            found.setdefault(name, []).append(problem)
        return found
