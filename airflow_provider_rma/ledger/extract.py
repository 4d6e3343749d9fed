"""The ledger of one tenant into a destination, month by month. :mod:`.month` is one month."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger.chain import MAX_CHAIN_MONTHS, BrokenLinkError
from airflow_provider_rma.ledger.later_months import mark_stale_months, read_later_months
from airflow_provider_rma.ledger.month import ExtractRun, MonthRun
from airflow_provider_rma.ledger.proof.accounts import AccountKinds
from airflow_provider_rma.ledger.proof.prove import TOLERANCE
from airflow_provider_rma.ledger.proof.verdicts import ReasonCode
from airflow_provider_rma.ledger.result import LedgerResult, MonthState, WindowResult
from airflow_provider_rma.ledger.resume import ResumePolicy
from airflow_provider_rma.ledger.rows import new_load_id
from airflow_provider_rma.ledger.run_log import log_month, log_run, unproven_error
from airflow_provider_rma.ledger.windows import (
    REREAD_DAYS,
    Window,
    list_windows,
    now_utc,
    parse_instant,
    parse_stop_at,
    today_in_zurich,
)

if TYPE_CHECKING:
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs.wire import ContentType
    from airflow_provider_rma.ledger.destinations.base import Destination

log = logging.getLogger(__name__)


def extract_ledger(
    client: RunMyAccountsClient,
    destination: Destination,
    *,
    from_date: date | str | None = None,
    to_date: date | str | None = None,
    reread_days: int = REREAD_DAYS,
    on_unproven: str = "fail",
    tolerance: Decimal | int | str = TOLERANCE,
    account_kinds: Mapping[str, str] | None = None,
    content_type: ContentType | None = None,
    skip_unchanged: bool = False,
    max_chain_months: int = MAX_CHAIN_MONTHS,
    resume_since: date | datetime | str | None = None,
    stop_at: datetime | str | None = None,
    task_run: str = "",
    today: date | None = None,
    clock: Callable[[], datetime] | None = None,
    on_result: Callable[[LedgerResult], None] | None = None,
) -> LedgerResult:
    """Carry the general ledger of the client's tenant into a destination, whole months at a time.

    Each month is read, proven against the service's own balances, and replaced in one transaction, also if it has
    become empty. A month whose content has not changed is proven again and not rewritten.

    :param client: client of the tenant; it is only read from.
    :param destination: an opened destination.
    :param from_date: a day in the first month; :func:`~.windows.list_windows` says the default.
    :param to_date: a day in the last month, inclusive.
    :param reread_days: days to go back by default.
    :param on_unproven: ``fail``: a month that is not proven keeps its old state, the others are still done, then the
        run fails. ``keep``: it is loaded and marked as what it is.
    :param tolerance: CHF by which a voucher or an account may be off and still count as ``tolerated``.
    :param account_kinds: kind by account number or pattern where the first digit does not tell; see
        :class:`~airflow_provider_rma.ledger.proof.accounts.AccountKinds`.
    :param content_type: ``xml`` by default, the form that is documented for the ledger; ``json`` has the same rows.
    :param skip_unchanged: do not read a month whose balances are those of its last full reading; it is then
        ``balances_only``. Each month is read in full at least every seven days all the same.
    :param max_chain_months: months before the period that are read again at most if somebody has booked in one of them,
        and months after it that open otherwise then.
    :param resume_since: months that were done at this :func:`~.windows.parse_instant` or later are passed over without
        a request; :class:`~.resume.ResumePolicy` says what counts.
    :param stop_at: no month is begun from this :func:`~.windows.parse_stop_at` on; the run then ends well.
    :param task_run: identity of the run, kept in ``loads``.
    :param today: the run's day; by default the day it is in Zurich.
    :param clock: returns the present, with a zone, for ``stop_at``.
    :param on_result: receives the result, also of a run that then fails because a month is not proven.
    :raises ConfigurationError: for a parameter that cannot be understood; nothing was sent.
    :raises UnprovenError: with ``fail``, if a month is not proven.
    :raises RequestError: if a response cannot be had or read. Months that were done before stay done.
    """
    if on_unproven not in ("fail", "keep"):
        raise ConfigurationError("on_unproven is neither fail nor keep.", advice="Use fail (default) or keep.")
    today, clock = today or today_in_zurich(), clock or now_utc
    period = list_windows(from_date, to_date, reread_days=reread_days, today=today)
    resume = ResumePolicy(parse_instant(resume_since, "resume_since"), today)
    stop = parse_stop_at(stop_at, clock())
    run = ExtractRun(
        client=client,
        destination=destination,
        load_id=new_load_id(),
        kinds=AccountKinds(account_kinds),
        tolerance=_parse_tolerance(tolerance),
        keep_unproven=on_unproven == "keep",
        content_type=content_type or "xml",
        task_run=task_run,
        skip_unchanged=skip_unchanged,
        max_chain_months=_check_months(max_chain_months),
    )
    result = _extract_months(run, period, resume, is_over=lambda: stop is not None and clock() >= stop)
    log_run(result)
    if on_result is not None:
        on_result(result)
    if result.months(MonthState.REJECTED):
        raise unproven_error(result)
    return result


def _parse_tolerance(value: Decimal | int | str) -> Decimal:
    try:
        tolerance = Decimal(str(value))
        is_usable = tolerance.is_finite() and tolerance >= 0
    except InvalidOperation:
        is_usable = False
    if not is_usable:
        raise ConfigurationError("tolerance is no amount from 0.", advice="Give CHF, e.g. 0.01.")
    return tolerance


def _check_months(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError("max_chain_months is no whole number from 0.", advice="Give a number of months.")
    return value


def _extract_months(
    run: ExtractRun, period: list[Window], resume: ResumePolicy, *, is_over: Callable[[], bool]
) -> LedgerResult:
    """Extract the months, oldest first, until it is time to stop."""
    destination = run.destination
    log.info(
        "Ledger of tenant %s: %d months, %s to %s, into %s %s (load %s).",
        run.tenant, len(period), period[0], period[-1], destination.kind, destination.location, run.load_id,
    )  # fmt: skip
    with destination.keep_open() if resume.since else nullcontext():
        done = resume.done(destination, run.tenant, period)
    results, remaining = dict[Window, WindowResult](), list[Window]()
    for window in period:
        if window in done and window not in run.chain.read:
            results[window] = done[window]
        elif is_over():
            remaining.append(window)
        else:
            _add(results, extract_month(run, window))
    _add(results, _repeat_empty_months(run, results))
    for further in read_later_months(run, [*results], partial(extract_month, run), is_over=is_over):
        _add(results, further)
    return LedgerResult(
        tenant=run.tenant,
        load_id=run.load_id,
        kind=destination.kind,
        location=destination.location,
        windows=[results[window] for window in sorted(results)],
        convention=run.convention.names(run.kinds),
        remaining=remaining,
        stale=mark_stale_months(run, [*results]),
    )


def _add(results: dict[Window, WindowResult], further: Mapping[Window, WindowResult]) -> None:
    """Add results of months, some of which the run may have read already."""
    for window, result in further.items():
        results[window] = result.after(results.get(window))


def extract_month(run: ExtractRun, window: Window) -> dict[Window, WindowResult]:
    """Extract a month.

    If it does not open as the one before closed, read again first the months since the last balances that agree.
    """
    run.read_chart()
    results = dict[Window, WindowResult]()
    while True:
        try:
            results[window] = MonthRun(run, window).execute()
        except BrokenLinkError as broken:
            log.info("%s; somebody has booked in an earlier month, following it.", broken)
            for month in run.chain.find_moved(window):
                _add(results, extract_month(run, month))
            continue
        log_month(results[window])
        return results


def _repeat_empty_months(run: ExtractRun, results: Mapping[Window, WindowResult]) -> dict[Window, WindowResult]:
    """Read again the empty months of which a later one has shown since that the company was founded later."""
    repeated = dict[Window, WindowResult]()
    for window in sorted(results, reverse=True):
        is_empty = any(reason.code is ReasonCode.NOTHING_STATED for reason in results[window].reasons)
        if is_empty and run.is_founded_later(window):
            _add(repeated, extract_month(run, window))
    return repeated
