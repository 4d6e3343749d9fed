from __future__ import annotations

import re
from decimal import Decimal

import pyarrow as pa
import pytest

from airflow_provider_rma.ledger import arrow_schemas, contract, fingerprint
from airflow_provider_rma.ledger.destinations.views import load as views
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
        schema = arrow_schemas.schema(name)
        assert schema.names == table.names
        assert [field.nullable for field in schema] == [column.nullable for column in table.columns]
        for column in table.columns:
            expected = contract.TYPES[column.type].arrow.replace(" UTC", " tz=UTC").replace("date32", "date32[day]")
            assert str(schema.field(column.name).type).replace("[us, ", "(us, ").replace(
                "UTC]", "UTC)"
            ) == expected.replace("float64", "double")
        assert arrow_schemas.empty_table(name).num_rows == 0
    with pytest.raises(KeyError, match="nothing"):
        arrow_schemas.schema("nothing")


def test_money_holds_what_the_ledger_can_write() -> None:
    kind = arrow_schemas.schema("postings").field("amount").type
    for amount in ("1000000000000000.12345678", "-99999999999999999999.99999999"):
        assert pa.scalar(Decimal(amount), kind).as_py() == Decimal(amount)


def test_what_is_fingerprinted_are_columns_of_postings() -> None:
    assert set(fingerprint.BUSINESS_COLUMNS) <= set(contract.TABLES["postings"].names)
    stored_only = {"tenant", "month", "account_name", "debit", "credit", "entry_id", "extra", "load_id"}
    assert set(contract.TABLES["postings"].names) - set(fingerprint.BUSINESS_COLUMNS) == stored_only


def test_the_keys_of_lines_cover_what_is_fingerprinted_and_nothing_else() -> None:
    types = {column.name: column.type for column in contract.TABLES["postings"].columns}
    day = (
        "CAST(extract(year FROM {0}) * 10000 + extract(month FROM {0}) * 100 + extract(day FROM {0}) AS INTEGER)"
    ).format
    texts = {"text": "{}".format, "date": lambda name: f"CAST({day(name)} AS VARCHAR)"}
    parts = [
        f"coalesce({texts.get(types[name], 'CAST({} AS VARCHAR)'.format)(name)}, '')"
        for name in ("tenant", *fingerprint.BUSINESS_COLUMNS)
    ]
    query = " ".join(views.VIEWS["postings_keys"].split())
    assert f"md5({' || chr(31) || '.join(parts)}) AS content" in query
