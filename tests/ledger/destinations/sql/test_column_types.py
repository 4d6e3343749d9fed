from __future__ import annotations

import re

import pytest
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateTable

from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations.sql.column_types import declare_tables

DIALECTS: dict[str, Dialect] = {
    module.__name__.rpartition(".")[2]: module.dialect() for module in (mssql, mysql, oracle, postgresql, sqlite)
}
DIALECTS["mariadb"] = mysql.dialect(is_mariadb=True)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_type_of_the_contract_has_one_in_every_dialect(name: str) -> None:
    tables = declare_tables("rma_")
    for table in contract.TABLES.values():
        lines = str(CreateTable(tables[table.name]).compile(dialect=DIALECTS[name])).splitlines()
        for column in table.columns:
            (text,) = [line for line in lines if re.match(rf"\t[\"`\[]{column.name}[\"`\]] ", line)]
            assert ("NOT NULL" in text) is not column.nullable
            if column.type == "money":
                assert re.search(r"(NUMERIC|DECIMAL)\(28, 8\)", text) or (name == "sqlite" and " TEXT" in text)


@pytest.mark.parametrize(
    ("name", "collation"),
    [("mysql", "utf8mb4_0900_bin"), ("mariadb", "utf8mb4_nopad_bin"), ("mssql", "Latin1_General_100_BIN2")],
)
def test_texts_are_compared_byte_by_byte(name: str, collation: str) -> None:
    for table in declare_tables("").values():
        for line in str(CreateTable(table).compile(dialect=DIALECTS[name])).splitlines():
            if "TEXT" in line or "CHAR(" in line:
                assert f"COLLATE {collation}" in line
