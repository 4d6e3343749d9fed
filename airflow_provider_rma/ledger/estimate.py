"""Estimates of an extract. A few months are read as the extract would read them; nothing is written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.formatting import format_count
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.slices import RestartMonthError, SlicePlan
from airflow_provider_rma.ledger.postings.stream import read_postings, receive_postings
from airflow_provider_rma.ledger.proof.accounts import AccountKinds, read_accounts
from airflow_provider_rma.ledger.proof.balances import CALLS, CALLS_IN_FULL, read_statement
from airflow_provider_rma.ledger.resume import ResumePolicy
from airflow_provider_rma.ledger.windows import (
    REREAD_DAYS,
    MonthLoad,
    Window,
    check_begun,
    list_windows,
    parse_instant,
    today_in_zurich,
)

if TYPE_CHECKING:
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs.wire import ContentType
    from airflow_provider_rma.ledger.destinations.base import Destination

log = logging.getLogger(__name__)

#: Probes are called uneven if one has more than this many times the postings of another.
_UNEVEN = 3


@dataclass(frozen=True)
class Probe:
    """A month that was read for the estimate.

    :param month: its name, e.g. ``2026-08``.
    :param calls: requests for it; those that the client repeated are counted once.
    :param seconds: how long reading took, the waits of the client included.
    """

    month: str
    postings: int
    calls: int
    seconds: float


@dataclass(frozen=True)
class Range:
    """A figure over all months. Between two probes, ``expected`` goes from one to the other in a straight line, while
    ``low`` and ``high`` take the smaller and the larger of them for each month."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """Requests, postings and time to be expected.

    :param period: first and last day, inclusive.
    :param months: months that are to be read.
    :param done: months of the period beside them that an earlier run has done.
    :param probes: oldest first; none if no month is to be read.
    :param calls: requests, without those for the signs of accounts that stand still (one for each account, once).
    :param seconds: of reading one month after the other. Writing into the warehouse comes on top.
    """

    tenant: str
    period: tuple[date, date]
    months: int
    done: int
    probes: Sequence[Probe]
    calls: Range
    postings: Range
    seconds: Range

    @property
    def is_uneven(self) -> bool:
        """Whether the probes differ so much that the figures are only a rough guide."""
        counts = [probe.postings for probe in self.probes]
        return bool(counts) and max(counts) > _UNEVEN * min(counts)

    def __str__(self) -> str:
        months = "1 month" if self.months == 1 else f"{self.months} months"
        before = f" ({self.done} more done before)" if self.done else ""
        if not self.months:
            return f"All {self.done} months were done before; nothing is left to read."
        probed = ", ".join(probe.month for probe in self.probes)
        calls, postings = _format_count(self.calls.expected), _format_count(self.postings.expected)
        duration = _format_span(self.seconds)
        sentence = f"{months}{before}: about {calls} calls, {postings} postings, {duration} (probed {probed})"
        if self.is_uneven:
            counts = sorted(probe.postings for probe in self.probes)
            sentence += (
                f"; the probes are uneven, {format_count(counts[0])} to {format_count(counts[-1])} postings a month"
            )
        return sentence

    def as_dict(self) -> dict[str, Any]:
        """Return a small result for an XCom; hours and seconds as decimal numbers."""
        return {
            "tenant": self.tenant,
            "from_date": self.period[0].isoformat(),
            "to_date": self.period[1].isoformat(),
            "months": self.months,
            "done": self.done,
            "calls": _round(self.calls),
            "postings": _round(self.postings),
            "hours": {name: round(value / 3600, 4) for name, value in asdict(self.seconds).items()},
            "probes": [asdict(probe) | {"seconds": round(probe.seconds, 3)} for probe in self.probes],
            "uneven": self.is_uneven,
            "summary": str(self),
        }


def estimate_ledger(
    client: RunMyAccountsClient,
    *,
    from_date: date | str | None = None,
    to_date: date | str | None = None,
    reread_days: int = REREAD_DAYS,
    account_kinds: Mapping[str, str] | None = None,
    content_type: ContentType | None = None,
    destination: Destination | None = None,
    resume_since: date | datetime | str | None = None,
    today: date | None = None,
) -> Estimate:
    """Read the first, the middle and the last month of a period, and estimate all of them.

    Parameters are those of :func:`~.extract.extract_ledger`. A month that is not over is not read if
    there is another one.

    :param client: client of the tenant; it is only read from.
    :param destination: with ``resume_since``: an opened destination, which is asked what is done and is not written to.
        By default nothing is done.
    :raises ConfigurationError: for a parameter that cannot be understood; nothing was sent.
    :raises RequestError: if a response cannot be had or read.
    """
    today, kinds, form = today or today_in_zurich(), AccountKinds(account_kinds), content_type or "xml"
    period = list_windows(from_date, to_date, reread_days=reread_days, today=today)
    check_begun(period, today)
    resume, tenant = ResumePolicy(parse_instant(resume_since, "resume_since"), today), client.config.tenant
    done = resume.done(destination, tenant, period) if destination is not None else {}
    left = [window for window in period if window not in done]
    probes = _probe_months(client, _choose_probes(left, today), kinds, form) if left else {}
    placed = [(left.index(window), probe) for window, probe in probes.items()]

    def estimate_total(figure: Callable[[Probe], float], once_a_run: int = 0) -> Range:
        return extrapolate([(place, figure(probe)) for place, probe in placed], len(left), once_a_run)

    estimate = Estimate(
        tenant=tenant,
        period=(period[0].start, period[-1].end),
        months=len(left),
        done=len(done),
        probes=list(probes.values()),
        calls=estimate_total(lambda probe: probe.calls, once_a_run=1 if left else 0),
        postings=estimate_total(lambda probe: probe.postings),
        seconds=estimate_total(lambda probe: probe.seconds),
    )
    log.info("Ledger of tenant %s: %s.", tenant, str(estimate).rstrip("."))
    return estimate


def _choose_probes(left: Sequence[Window], today: date) -> list[Window]:
    over = [window for window in left if window.end < today] or left
    return sorted({over[0], over[len(over) // 2], over[-1]})


def _probe_months(
    client: RunMyAccountsClient, chosen: Sequence[Window], kinds: AccountKinds, content_type: ContentType
) -> dict[Window, Probe]:
    accounts = read_accounts(client.list_charts(content_type=content_type))
    names = {accno: account.description for accno, account in accounts.items()}
    found: dict[Window, Probe] = {}
    for window in chosen:
        found[window] = probe = _probe_month(client, window, kinds, names, content_type)
        log.info("%s: %s postings, %d calls, %.1f s.", window, format_count(probe.postings), probe.calls, probe.seconds)
    return found


def _probe_month(
    client: RunMyAccountsClient,
    window: Window,
    kinds: AccountKinds,
    names: Mapping[str, str],
    content_type: ContentType,
) -> Probe:
    """Ask for balances, postings and balances, as the extract does; the postings are counted and dropped."""
    began, reading = time.monotonic(), None
    statement = read_statement(client, window, kinds, content_type)
    plan = SlicePlan(window, names.keys() | statement.accounts.keys())
    while reading is None:
        batches = PostingBatches(MonthLoad(client.config.tenant, window, ""), names)
        with receive_postings(client, plan, content_type) as received:
            try:
                reading = read_postings(received, plan, batches, lambda _: None)
            except RestartMonthError as broken:
                log.warning("%s: %s Reading the month again.", window, broken)
    read_statement(client, window, kinds, content_type, in_full=True)
    return Probe(window.name, reading.postings.rows, CALLS + CALLS_IN_FULL + plan.calls, time.monotonic() - began)


def extrapolate(probes: Sequence[tuple[int, float]], months: int, once_a_run: int) -> Range:
    """Estimate a figure over all months, from the positions of the probes among them.

    :param once_a_run: what is added for the run as a whole.
    """
    low = expected = high = float(once_a_run)
    for place in range(months):
        left = max((probe for probe in probes if probe[0] <= place), default=probes[0])
        right = min((probe for probe in probes if probe[0] >= place), default=probes[-1])
        share = (place - left[0]) / (right[0] - left[0]) if right[0] > left[0] else 0.0
        low += min(left[1], right[1])
        expected += left[1] + share * (right[1] - left[1])
        high += max(left[1], right[1])
    return Range(low, expected, high)


def _round(figure: Range) -> dict[str, int]:
    return {name: round(value) for name, value in asdict(figure).items()}


def _format_count(value: float) -> str:
    """Format a number to two digits, e.g. ``870`` or ``1.2 million``."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:.1f} million"
    return format_count(round(float(f"{value:.2g}"))) if value >= 100 else f"{value:.0f}"


def _format_span(seconds: Range) -> str:
    """Format a range of time, in a unit that suits both ends: ``0.8 to 1.4 hours``."""
    if seconds.high < 1:
        return "less than a second"
    unit, size, places = next(
        (unit, size, places)
        for unit, size, places, least in (("hours", 3600, 1, 5400), ("minutes", 60, 0, 120), ("seconds", 1, 0, 0))
        if seconds.high >= least
    )
    low, high = (f"{value / size:.{places}f}" for value in (seconds.low, seconds.high))
    return f"about {high} {unit}" if low == high else f"{low} to {high} {unit}"
