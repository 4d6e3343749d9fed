"""When a read is tried again, and after how long."""

from __future__ import annotations

from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import NotFoundError, RateLimitedError, ServerError


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
