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


def check_min_count(min_count: int) -> int:
    """Refuse a count that is none.

    :raises ConfigurationError: if it is not a whole number of at least 0.
    """
    if isinstance(min_count, bool) or not isinstance(min_count, int) or min_count < 0:
        raise ConfigurationError(
            f"min_count must be an integer ≥ 0, got {min_count!r}", advice="Give the fewest records to be expected."
        )
    return min_count
