"""The tables of the contract as Arrow schemas, and the checks of data against them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pa, pc

#: Arrow type by type of the contract.
ARROW_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "date": pa.date32(),
    "money": pa.decimal128(contract.PRECISION, contract.SCALE),
    "int64": pa.int64(),
    "int32": pa.int32(),
    "int16": pa.int16(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
}

#: An Arrow table or record batch.
Data = TypeVar("Data", pa.Table, pa.RecordBatch)


@cache
def schema(table: str) -> pa.Schema:
    """Return the Arrow schema of a table of :data:`.contract.TABLES`, or of :data:`.contract.HISTORY`."""
    declared = contract.HISTORY if table == contract.HISTORY.name else contract.TABLES[table]
    return pa.schema(
        [pa.field(column.name, ARROW_TYPES[column.type], nullable=column.nullable) for column in declared.columns]
    )


def select_columns(table: str, columns: Sequence[str]) -> pa.Schema:
    """Return the Arrow schema of some columns of a table, in the order given."""
    return pa.schema([schema(table).field(name) for name in columns])


def empty_table(table: str) -> pa.Table:
    """Return a table without rows."""
    return schema(table).empty_table()


def dated_postings() -> pa.Schema:
    """Return the schema of the postings of a warehouse with history: those of the contract with ``valid_from``."""
    return schema("postings").append(schema(contract.HISTORY.name).field(contract.VALID_FROM.name))


def conform(data: Data, table: str) -> Data:
    """Check that data has the columns of a table in the order and types of the contract.

    :return: the data with exactly the schema of the contract.
    :raises ValueError: other columns or types, or a null in a required column.
    """
    expected = schema(table)
    found = [(field.name, field.type) for field in data.schema]
    if found != [(field.name, field.type) for field in expected]:
        types = dict(zip(expected.names, expected.types, strict=True))
        wrong = [f"{name} {kind}" for name, kind in found if types.get(name) != kind]
        missing = [name for name in expected.names if name not in data.schema.names]
        raise ValueError(f"Not the columns of {table}: unexpected {wrong}, missing {missing}, or another order.")
    for field in expected:
        if not field.nullable and data.column(field.name).null_count:
            raise ValueError(f"{table}.{field.name} must not be null.")
    return type(data).from_arrays(data.columns, schema=expected)


def check_constant(data: pa.Table | pa.RecordBatch, column: str, value: Any) -> None:
    """Check that all rows belong to one tenant, month or load: others could never be replaced as a whole.

    :raises ValueError: a row has another value.
    """
    if data.num_rows and not pc.all(pc.equal(data.column(column), value)).as_py():
        raise ValueError(f"A row belongs to another {column} than {value}.")


def cast_batch(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    """Cast a batch to a schema. A column that is required now may be null in rows of an older contract."""
    columns = [column.cast(field.type) for column, field in zip(batch.columns, target, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=target)
