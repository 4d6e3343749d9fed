"""Runs that end with months that could not be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_provider_rma.exceptions import RequestError, UnprovenError


@contextmanager
def raises_unread(error: type[RequestError], match: str, months: str | None = None) -> Iterator[None]:
    """The run names the months that could not be read, and why.

    :param error: of the first of them.
    :param match: pattern for the message.
    :param months: names of all of them, separated by blanks; None for any.
    """
    with pytest.raises(UnprovenError, match="could not be read and keep their old state") as caught:
        yield
    assert type(caught.value.__cause__) is error
    assert re.search(match, str(caught.value)), str(caught.value)
    assert caught.value.retryable is error.retryable
    if months is not None:
        assert caught.value.windows == dict.fromkeys(months.split(), "unproven")
