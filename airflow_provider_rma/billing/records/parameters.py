"""Checks of the parameters of a source, light enough to run whenever a DAG is parsed."""

from __future__ import annotations

from airflow_provider_rma.exceptions import ConfigurationError


def check_encoding(encoding: str | None) -> str | None:
    """Refuse an encoding that does not exist.

    :raises ConfigurationError: if it is none of text.
    """
    try:
        if encoding is None or "".encode(encoding) is not None:
            return encoding
    except (LookupError, TypeError, ValueError):
        pass
    raise ConfigurationError(
        f"encoding {encoding!r} is not known", advice="Give a name such as utf-8, windows-1252 or utf-16-le."
    )
