"""Articles ("parts") of the master data."""

from __future__ import annotations

from airflow_provider_rma.schemas.amounts import Price
from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.dates import CalendarDate
from airflow_provider_rma.schemas.text import AccountNumber, AccountNumbers, Identifier, Text


class PartSchema(EntitySchema):
    """An article with its accounts and taxes. RMA documents reading only."""

    entity = "part"
    key = "partnumber"

    income_accno = AccountNumber(note="income account")
    expense_accno = AccountNumber(note="expense account, for invoices of vendors")
    partnumber = Identifier(64, required=True, note="identifies the article; the limit is ours")
    description = Text(multiline=True)
    unit = Text(5)
    quantity = Price(note="default quantity")
    sellprice = Price(note="unit price")
    discount = Price(note="percent")
    itemnote = Text(multiline=True)
    tax_accnos = AccountNumbers(note="separated by blanks, or a list")
    serialnumber = Text()
    projectnumber = Text()
    price_update = CalendarDate(
        is_timestamp=True, note="day from which the article may be used; the time of day is dropped"
    )
