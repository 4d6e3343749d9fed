"""Import of optional packages, with a message that names the extra to install."""

from __future__ import annotations

import importlib
from typing import Any

from airflow_provider_rma.exceptions import ConfigurationError


def _optional(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"The package {module.partition('.')[0]} is not installed.",
            advice=f"Install it with: pip install 'airflow-provider-rma[{extra}]'",
        ) from error


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
