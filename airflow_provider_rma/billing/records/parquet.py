"""Parquet: typed columns, read row by row.

A Parquet file of some kilobytes can hold gigabytes: one text that is repeated a million times, or a page of zeros. So
texts stay encoded by dictionary until their row is read, and what a file says of its own size is looked at first.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_rma.billing.records.columns import RecordColumns, flatten_names
from airflow_provider_rma.billing.records.csv import MAX_VALUE
from airflow_provider_rma.billing.records.errors import unreadable_error
from airflow_provider_rma.exceptions import RunMyAccountsError
from airflow_provider_rma.formatting import format_count

#: Most rows of a file, bytes of a row group, bytes of a column in it, and values of a nested column in it.
MAX_ROWS = 10_000_000
MAX_GROUP = 256 * 1024 * 1024
MAX_CHUNK = 64 * 1024 * 1024
MAX_NESTED = 2_000_000
_BATCH = 1_000
_REMEDY = "write it again, as text, number, date or time stamp"


def read_parquet(
    stream: io.BufferedReader[Any], where: str, columns: RecordColumns, encoding: str | None
) -> Iterator[dict[str, Any]]:
    """Read the rows of a Parquet file.

    :raises InvalidInputError: if it is none, is damaged or too large, or its columns are not those of this kind.
    """
    try:
        leaves = pq.ParquetFile(stream, thrift_container_size_limit=1_000_000).schema
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        stream.seek(0)
        file = pq.ParquetFile(
            stream,
            read_dictionary=texts,
            buffer_size=1_048_576,
            thrift_container_size_limit=1_000_000,
            page_checksum_verification=True,
        )
    except RunMyAccountsError:
        raise
    except Exception as error:
        raise unreadable_error(where, "is not a Parquet file, or is damaged", "check how it was written") from error
    schema = file.schema_arrow
    columns.check(flatten_names((field.name, _inner_names(field.type)) for field in schema), f"source {where}")
    _check_types(schema, where)
    _check_size(file.metadata, where)
    yield from _read_rows(file, where)


def _read_rows(file: pq.ParquetFile, where: str) -> Iterator[dict[str, Any]]:
    row = 0
    try:
        for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
            names = batch.schema.names
            values = [_prepare(column, f"{where}: {name}") for name, column in zip(names, batch.columns, strict=True)]
            for index in range(batch.num_rows):
                row += 1
                yield {name: column[index].as_py() for name, column in zip(names, values, strict=True)}
    except RunMyAccountsError:
        raise
    except Exception as error:
        remedy = "check how it was written; dates must lie in the years 1 to 9999"
        raise unreadable_error(
            f"{where} near row {row + 1}", "is damaged, or holds a value out of range", remedy
        ) from error


def _prepare(column: pa.Array, where: str) -> pa.Array:
    """Make the values of a batch fit Python: texts of bounded length, time stamps in microseconds."""
    for dictionary in _find_dictionaries(column):
        longest = pc.max(pc.utf8_length(dictionary)).as_py() or 0
        if longest > MAX_VALUE:
            raise unreadable_error(
                where, f"has a value of more than {format_count(MAX_VALUE)} characters", "shorten the text"
            )
    plain = _plain_type(column.type)
    if plain == column.type:
        return column
    if pa.types.is_timestamp(plain):
        # Down, also before 1970: a cast would cut towards zero, into the next day.
        column = pc.floor_temporal(column, unit="microsecond")
    return column.cast(plain, safe=False)


def _find_dictionaries(column: pa.Array) -> Iterator[pa.Array]:
    """Find the texts of a column, those inside lists and structs included."""
    if pa.types.is_dictionary(column.type):
        yield column.dictionary
    elif _is_list(column.type):
        yield from _find_dictionaries(column.values)
    elif pa.types.is_struct(column.type):
        for position in range(column.type.num_fields):
            yield from _find_dictionaries(column.field(position))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The same type, with microseconds in place of nanoseconds."""
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _plain_type(field.type)) for field in kind])
    if _is_list(kind):
        return pa.large_list(_plain_type(kind.value_type))
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    return kind


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _inner_names(kind: pa.DataType) -> list[str]:
    """Names of the fields inside a nested column, with those of a struct in a list."""
    if _is_list(kind):
        return _inner_names(kind.value_type)
    return [field.name for field in kind] if pa.types.is_struct(kind) else []


def _check_types(schema: pa.Schema, where: str) -> None:
    for field in schema:
        if not _is_readable(field.type):
            raise unreadable_error(f"{where}: {field.name}", f"is a column of type {str(field.type)[:40]}", _REMEDY)


def _is_readable(kind: pa.DataType, depth: int = 4) -> bool:
    types = pa.types
    if _is_list(kind):
        return depth > 0 and _is_readable(kind.value_type, depth - 1)
    if types.is_struct(kind):
        names = [field.name for field in kind]
        return depth > 0 and len(set(names)) == len(names) and all(_is_readable(f.type, depth - 1) for f in kind)
    if types.is_dictionary(kind):
        return _is_readable(kind.value_type, 0)
    return any(
        check(kind)
        for check in (
            types.is_null,
            types.is_boolean,
            types.is_integer,
            types.is_floating,
            types.is_decimal,
            types.is_string,
            types.is_large_string,
            types.is_date,
            types.is_timestamp,
        )
    )


def _check_size(metadata: pq.FileMetaData, where: str) -> None:
    if metadata.num_rows > MAX_ROWS:
        raise unreadable_error(
            where,
            f"has {format_count(metadata.num_rows)} rows, at most {format_count(MAX_ROWS)} are read",
            "split the file",
        )
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if group.total_byte_size > MAX_GROUP:
            raise _too_large_error(where, f"{format_count(group.total_byte_size)} bytes unpacked")
        for position in range(group.num_columns):
            column = group.column(position)
            place = f"{where}: {column.path_in_schema}"
            if column.total_uncompressed_size > MAX_CHUNK:
                raise _too_large_error(place, f"{format_count(column.total_uncompressed_size)} bytes unpacked")
            if "." in column.path_in_schema and column.num_values > MAX_NESTED:
                raise _too_large_error(place, f"{format_count(column.num_values)} values")


def _too_large_error(where: str, size: str) -> Exception:
    problem = f"holds too much in one row group ({size})"
    return unreadable_error(where, problem, "write smaller row groups, e.g. row_group_size=50_000")
