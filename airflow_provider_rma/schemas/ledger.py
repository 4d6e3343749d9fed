"""The general ledger: accounts, posting lines, balances. RMA documents reading only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import pre_load

from airflow_provider_rma.schemas.amounts import Balance, Money
from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.dates import CalendarDate
from airflow_provider_rma.schemas.fields import Boolean, Direction, Integer, Undocumented
from airflow_provider_rma.schemas.nested import Nested
from airflow_provider_rma.schemas.organisation import DepartmentSchema
from airflow_provider_rma.schemas.problems import validation_error
from airflow_provider_rma.schemas.text import AccountNumber, Choice, Identifier, Text


class ChartSchema(EntitySchema):
    """An account of the chart. Inside a transaction or a customer it is a stub: id 0, link empty, ``allow_gl`` false
    whatever the account really is; only ``accno`` counts there."""

    entity = "chart"
    key = "accno"

    id = Integer(attribute=True, note="0 in a stub")
    accno = Identifier(32, attribute=True, note="account number")
    description = Text(attribute=True)
    link = Text(attribute=True, note="uses of the account, separated by colons, e.g. AR_paid:AP_paid; empty in a stub")
    allow_gl = Boolean(attribute=True, note="may be booked directly; false in a stub")
    is_active = Boolean(attribute=True)
    taxes = Undocumented(read_only=True, note="empty in the samples, content unknown")


class TransactionSchema(EntitySchema):
    """One posting line."""

    entity = "transaction"
    key = "entry_id"

    id = Integer(note="id of the voucher, the same on all of its lines")
    chart = Nested(ChartSchema, note="stub of the account")
    transdate = CalendarDate(note="day of posting")
    reference = Text(note="invoice number or reference of the ledger voucher")
    description = Text(multiline=True, note="text of the voucher")
    amount = Money(note="debit negative, credit positive")
    module = Choice("ar", "ap", "gl", note="only ar in the sample, the others by ledger code")
    source = Text(multiline=True)
    entry_id = Integer(maximum=2**53, note="identifies the posting line until its voucher is saved again")
    memo = Text(multiline=True)
    notes = Text(multiline=True, note="of the voucher")
    intnotes = Text(multiline=True, note="of the voucher")
    department = Nested(DepartmentSchema, note="may be missing")
    accno = AccountNumber(note="account number, repeated")


class BalanceRowSchema(EntitySchema):
    """A row of the trial balance (``gl/v2/saldo``)."""

    entity = "row"
    key = "accountnumber"

    accountnumber = Identifier(32)
    accountname = Text()
    amount = Balance(note="four decimals; the sign convention is an unknown of the interface")


class PositionalBalanceRowSchema(EntitySchema):
    """A row of the trial balance in its first version (``gl/saldo``): number, name and balance by position only.

    As an entity it has the fields of :class:`BalanceRowSchema`; on the wire they are ``{"column": [...]}`` (seen in a
    client).
    """

    entity = "row"
    key = "accountnumber"

    accountnumber = Identifier(32, required=True)
    accountname = Text(required=True)
    amount = Balance(required=True)

    def write_fields(self, entity: Mapping[str, Any]) -> dict[str, Any]:
        written = super().write_fields(entity)
        return {"column": [written.get(name, "") for name in self.fields]}

    @pre_load
    def _name_columns(self, data: Any, **_: Any) -> Any:
        if self.direction is Direction.USER or not isinstance(data, Mapping) or "column" not in data:
            return data
        columns = data["column"]
        if not isinstance(columns, list) or len(columns) != len(self.fields):
            raise validation_error("has not the three columns number, name and balance")
        return dict(zip(self.fields, columns, strict=True))

    def find_undeclared(self, mapped: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
        return super().find_undeclared({name: value for name, value in mapped.items() if name != "column"}, prefix)
