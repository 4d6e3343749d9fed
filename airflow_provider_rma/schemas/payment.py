"""Payments on invoices. Discounts, price reductions and bank charges are payments on their accounts."""

from __future__ import annotations

from airflow_provider_rma.schemas.amounts import Money, Price
from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.dates import CalendarDate
from airflow_provider_rma.schemas.fields import Integer
from airflow_provider_rma.schemas.text import AccountNumber, Choice, Currency, Identifier, Text


class PaymentSchema(EntitySchema):
    """A payment. The documented sample of the list has no ``id``, so none is demanded on read."""

    entity = "payment"

    id = Integer(read_only=True, note="identifies the payment")
    invnumber = Identifier(64, note="not needed on write, where the path names the invoice")
    datepaid = CalendarDate(required=True, note="the time of day is dropped")
    amount_paid = Money(required=True, note="in the currency of the invoice")
    source = Text()
    memo = Text(multiline=True)
    payment_accno = AccountNumber(required=True, default="1020", note="an account for incoming payments (ledger code)")
    currency = Currency(default="CHF")
    exchangerate = Price(default="1.0")
    flag = Choice("NEW", "EVEN", "MUTATED", "DELETED", read_only=True, note="kept by RMA for each API key")
