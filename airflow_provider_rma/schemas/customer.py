"""Customers. Documented fields, limits and defaults, with the extra fields that responses and clients show."""

from __future__ import annotations

from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.dates import CalendarDate
from airflow_provider_rma.schemas.fields import Boolean, Integer
from airflow_provider_rma.schemas.ledger import ChartSchema
from airflow_provider_rma.schemas.nested import Nested
from airflow_provider_rma.schemas.text import AccountNumber, AccountNumbers, Choice, Identifier, Text


class CustomerSchema(EntitySchema):
    """A customer, by itself and inside an invoice. Sending one creates it or overwrites all of its master data."""

    entity = "customer"
    key = "customernumber"

    id = Integer(read_only=True, note="internal id")
    customernumber = Identifier(32, required=True, note="identifies the customer")
    name = Text(64, required=True, note="company or full name; may be empty on read (seen in clients)")
    created = CalendarDate(read_only=True, is_timestamp=True)
    ended = CalendarDate(is_timestamp=True, note="date of closing")
    contactId = Integer(read_only=True, default="0")  # noqa: N815 - RMA's spelling
    salutation = Text(32)
    firstname = Text(32)
    lastname = Text(32)
    addressId = Integer(read_only=True, default="0")  # noqa: N815 - RMA's spelling
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
    cc = Text()
    bcc = Text()
    terms = Integer(maximum=32767, note="payment term in days; the upper bound is the ledger's column")
    notes = Text(multiline=True, note="internal")
    taxnumber = Text(32)
    taxfree = Boolean(note="in samples only")
    remittancevoucher = Boolean(note="payment slip for this customer")
    arap_accno = AccountNumber(default="1100", note="receivables account; empty means the default")
    payment_accno = AccountNumber(default="1020", note="payment account; empty means the default")
    bank_name = Text(64)
    bank_address1 = Text(32)
    bank_address2 = Text(32)
    bank_zipcode = Text(10)
    bank_city = Text(32)
    bank_state = Text(32)
    bank_country = Text(32)
    bank_iban = Text(34)
    bank_bic = Text(11)
    language_code = Text(6, note="must be set up in the tenant, otherwise the customer is refused; empty is fine")
    tax_accnos = AccountNumbers(default="all tax accounts", note="separated by blanks, or a list")
    typeofcontact = Choice("person", "company")
    gender = Choice("F", "M")
    chart = Nested(ChartSchema, read_only=True, note="stub of the receivables account (seen in clients)")
    paymentChart = Nested(  # noqa: N815 - RMA's spelling
        ChartSchema, read_only=True, note="stub of the payment account (seen in clients)"
    )
