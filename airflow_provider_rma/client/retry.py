"""When a read is tried again, and after how long. The only place with a retry policy; writes have none."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_rma.exceptions import RequestError


@dataclass(frozen=True)
class RetryPolicy:
    """Retries of a GET: 429, 5xx, lost or refused connections, time-outs, responses that ended early.

    :param tries: requests in all, at least 1.
    :param first_delay: bound of the first pause in seconds; it doubles with every try.
    :param max_delay: longest pause in seconds that is made unasked.
    :param max_retry_after: longest pause in seconds that a ``Retry-After`` of the service can ask for.
    :param max_total: seconds after which no further try begins, counted from the first.
    :param uniform: the source of randomness, as ``random.uniform``.
    """

    tries: int = 4
    first_delay: float = 1.0
    max_delay: float = 30.0
    max_retry_after: float = 120.0
    max_total: float = 1800.0
    uniform: Callable[[float, float], float] = random.uniform

    def pause(self, error: RequestError, tried: int, elapsed: float) -> float | None:
        """Seconds to wait before the next try; None to give up.

        :param tried: requests made so far.
        :param elapsed: seconds since the first began.
        """
        if not error.retryable or tried >= self.tries:
            return None
        asked: float | None = getattr(error, "retry_after", None)
        if asked is not None:
            delay = min(asked, self.max_retry_after)
        else:
            # Full jitter: clients that failed together do not come back together.
            delay = self.uniform(0, min(self.max_delay, self.first_delay * 2 ** (tried - 1)))
        return delay if elapsed + delay <= self.max_total else None
