"""pyarrow, imported once. A package that is missing becomes an error that names the extra to install.

Modules that run behind an operator's ``execute`` take pyarrow from here at their top::

    from airflow_provider_rma.ledger._pyarrow import pa, pc
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_rma.exceptions import ConfigurationError

__all__ = ["duckdb", "ipc", "pa", "pc", "psycopg", "pyarrow", "translate_import_error"]


@contextmanager
def translate_import_error(extra: str) -> Iterator[None]:
    """Turn an ImportError inside the block into a ConfigurationError that names an extra of this package.

    :raises ConfigurationError: a package that the block imports is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise ConfigurationError(
            f"The package {(error.name or extra).partition('.')[0]} is not installed.",
            advice=f"Install it with: pip install 'airflow-provider-rma[{extra}]'",
        ) from error


with translate_import_error("parquet"):
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import ipc


def _optional(module: str, extra: str) -> Any:
    with translate_import_error(extra):
        return importlib.import_module(module)


def pyarrow(module: str = "pyarrow") -> Any:
    """pyarrow or one of its modules.

    :raises ConfigurationError: it is not installed.
    """
    return _optional(module, "parquet")


def duckdb() -> Any:
    """duckdb.

    :raises ConfigurationError: it is not installed.
    """
    return _optional("duckdb", "duckdb")


def psycopg(module: str = "psycopg") -> Any:
    """psycopg, version 3, or one of its modules.

    :raises ConfigurationError: it is not installed.
    """
    return _optional(module, "postgres")
