"""A DuckDB file as somebody who reads the warehouse opens it."""

from __future__ import annotations

from pathlib import Path

import duckdb


def connect_duckdb(path: Path | str, *, read_only: bool = False, schema: str = "rma") -> duckdb.DuckDBPyConnection:
    """Open a file; names without a schema are those of the warehouse, if it has been made already."""
    connection = duckdb.connect(str(path), read_only=read_only)
    (catalog,) = connection.execute("SELECT current_database()").fetchone() or ("",)
    found = connection.execute(
        "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?", [catalog, schema]
    ).fetchall()
    if found:
        quoted = '"' + catalog.replace('"', '""') + '"'
        connection.execute(f'USE {quoted}."{schema}"')
    return connection
