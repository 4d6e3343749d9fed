"""What to say when a package of an extra is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_rma.exceptions import ConfigurationError


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
