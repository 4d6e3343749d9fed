"""Payments on invoices and on vendor invoices. Discounts, price reductions and bank charges are payments on their
accounts."""

from __future__ import annotations

from airflow_provider_rma.schemas.amounts import Money, Price
from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.dates import CalendarDate
from airflow_provider_rma.schemas.fields import Integer
from airflow_provider_rma.schemas.text import AccountNumber, Choice, Currency, Identifier, Text

_DAY = "documented as a time stamp; its Swiss day is sent"


class PaymentSchema(EntitySchema):
    """A payment on an invoice. The documented sample of the payment list has no ``id``, so none is demanded on read."""

    entity = "payment"

    id = Integer(read_only=True, note="identifies the payment")
    invnumber = Identifier(64, note="not needed on write, where the path names the invoice")
    datepaid = CalendarDate(required=True, is_swiss_instant=True, note=_DAY)
    amount_paid = Money(required=True, note="in the currency of the invoice; negative for a credit note")
    source = Text()
    memo = Text(multiline=True)
    payment_accno = AccountNumber(required=True, default="1020", note="an account for incoming payments (ledger code)")
    currency = Currency(default="CHF")
    exchangerate = Price(default="1.0")
    flag = Choice("NEW", "EVEN", "MUTATED", "DELETED", read_only=True, note="kept by RMA for each API key")


class PayablePaymentSchema(EntitySchema):
    """A payment on a vendor invoice: neither number nor flag are documented for it."""

    entity = "payment"

    id = Integer(read_only=True, note="identifies the payment")
    datepaid = CalendarDate(required=True, is_swiss_instant=True, note=_DAY)
    source = Text()
    memo = Text(multiline=True)
    amount_paid = Money(required=True, note="in the currency of the vendor invoice")
    payment_accno = AccountNumber(required=True, default="1020", note="an account for outgoing payments (ledger code)")
    currency = Currency(default="CHF")
    exchangerate = Price(default="1.0")
