"""Vendors. Fields of the documented vendor invoice; limits as of customers, which share the ledger's columns."""

from __future__ import annotations

from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.dates import CalendarDate
from airflow_provider_rma.schemas.fields import Integer
from airflow_provider_rma.schemas.text import AccountNumber, Identifier, Text


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
