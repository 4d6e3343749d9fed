"""To which requests a lie is told."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tests.support.ledger.liar import BEGINNING, Question, Where

EVES = {"2026-01": "2025-12-31", "2026-02": "2026-01-31", "2026-03": "2026-02-28"}
ENDS = {"2026-01": "2026-01-31", "2026-02": "2026-02-28", "2026-03": "2026-03-31"}


@dataclass(frozen=True)
class OfOneMonth:
    """Requests that no other month than February depends on, so that a run of this month alone meets the lie."""

    fits: Where

    def __call__(self, asked: Question) -> bool:
        return self.fits(asked)


def postings(month: str = "") -> Where:
    """Lists of postings: of a month and its parts, or all."""
    fits = partial(_fits, "postings", month)
    return OfOneMonth(fits) if month == "2026-02" else fits


def movements(month: str = "") -> Where:
    """Balances of what moved in a month, or in any."""
    return lambda asked: asked.first not in ("", BEGINNING) and _fits("balances", month, asked)


def _fits(endpoint: str, month: str, asked: Question) -> bool:
    return asked.endpoint == endpoint and asked.first.startswith(month)


def balances(day: str = "") -> Where:
    """Balances up to a day, or up to any; those since the beginning are the same figures."""
    return lambda asked: (
        asked.endpoint == "balances" and asked.first in ("", BEGINNING) and (not day or asked.last == day)
    )


def opening(month: str) -> Where:
    """Balances on the eve of a month."""
    return balances(EVES[month])


def closing(month: str) -> Where:
    """Balances at the end of a month."""
    return balances(ENDS[month])


def any_balance(asked: Question) -> bool:
    """Balances of every kind."""
    return asked.endpoint == "balances"


def charts(asked: Question) -> bool:
    """The chart of accounts."""
    return asked.endpoint == "charts"


def everything(asked: Question) -> bool:
    """Every request."""
    return asked.endpoint in ("charts", "balances", "postings")


def either(*wheres: Where) -> Where:
    """Requests that fit one of several."""
    return lambda asked: any(where(asked) for where in wheres)


def from_time(number: int, where: Where) -> Where:
    """From the n-th time on that a request is made."""
    return lambda asked: where(asked) and asked.time >= number


def at_time(number: int, where: Where) -> Where:
    """Only the n-th time that a request is made."""
    return lambda asked: where(asked) and asked.time == number
