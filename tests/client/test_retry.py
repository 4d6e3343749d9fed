from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_rma.client.responses import parse_retry_after
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import NotFoundError, RateLimitedError, ServerError

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Mon, 05 Jan 2026 12:00:30 GMT", 30.0),
        ("Mon, 05 Jan 2026 11:00:00 GMT", 0.0),
        ("Mon, 05 Jan 2026 12:00:30 -0000", 30.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        (None, None),
    ],
)
def test_parse_retry_after(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


def test_pauses_double_up_to_a_bound_with_full_jitter() -> None:
    policy = RetryPolicy(tries=8, uniform=lambda low, high: high)
    bounds = [policy.pause(ServerError("x"), tried, 0) for tried in range(1, 9)]
    assert bounds == [1, 2, 4, 8, 16, 30, 30, None]
    assert RetryPolicy(uniform=lambda low, high: low).pause(ServerError("x"), 1, 0) == 0


def test_a_pause_that_was_asked_for_is_kept_up_to_a_bound() -> None:
    policy = RetryPolicy(max_retry_after=60)
    assert policy.pause(RateLimitedError("x", retry_after=20.0), 1, 0) == 20
    assert policy.pause(RateLimitedError("x", retry_after=3600.0), 1, 0) == 60


def test_when_to_give_up() -> None:
    policy = RetryPolicy(tries=3, max_total=100)
    assert policy.pause(NotFoundError("x"), 1, 0) is None
    assert policy.pause(ServerError("x"), 3, 0) is None
    assert policy.pause(RateLimitedError("x", retry_after=20.0), 1, 81) is None
