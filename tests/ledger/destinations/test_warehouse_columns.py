from __future__ import annotations

import re
from decimal import Decimal

import pyarrow as pa
import pytest

from airflow_provider_rma.ledger import contract, fingerprint
from airflow_provider_rma.ledger.destinations import views
from tests.support.ledger import columns_page


def test_the_page_has_the_columns_as_they_are() -> None:
    hint = "run: python -m tests.support.ledger.columns_page"
    assert columns_page.on_page() == columns_page.reference(), hint


def test_the_page_names_every_view() -> None:
    text = columns_page.PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^### View `(\w+)`", text, re.MULTILINE)) == set(views.VIEWS)


def test_every_column_and_table_says_what_it_is() -> None:
    for table in contract.TABLES.values():
        assert len(table.names) == len(set(table.names))
        for text in (table.grain, *(column.note for column in table.columns)):
            assert text.endswith("."), text
            assert "|" not in text


def test_each_table_has_a_schema_under_its_name() -> None:
    for name, table in contract.TABLES.items():
        schema = getattr(contract, name.upper())
        assert schema.names == table.names
        assert [field.nullable for field in schema] == [column.nullable for column in table.columns]
        for column in table.columns:
            expected = (
                contract.TYPES[column.type].arrow_name.replace(" UTC", " tz=UTC").replace("date32", "date32[day]")
            )
            assert str(schema.field(column.name).type).replace("[us, ", "(us, ").replace(
                "UTC]", "UTC)"
            ) == expected.replace("float64", "double")
        assert contract.empty(name).num_rows == 0
    with pytest.raises(AttributeError, match="NOTHING"):
        contract.NOTHING  # noqa: B018


def test_money_holds_what_the_ledger_can_write() -> None:
    kind = contract.POSTINGS.field("amount").type
    for amount in ("1000000000000000.12345678", "-99999999999999999999.99999999"):
        assert pa.scalar(Decimal(amount), kind).as_py() == Decimal(amount)


def test_what_is_fingerprinted_are_columns_of_postings() -> None:
    assert set(fingerprint.BUSINESS_COLUMNS) <= set(contract.TABLES["postings"].names)
    stored_only = {"tenant", "month", "account_name", "debit", "credit", "entry_id", "extra", "load_id"}
    assert set(contract.TABLES["postings"].names) - set(fingerprint.BUSINESS_COLUMNS) == stored_only
