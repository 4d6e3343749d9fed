"""The ledger of one tenant into a destination, month by month. :mod:`.month` is one month."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionNotMadeError,
    IncompleteResponseError,
    RateLimitedError,
    RequestError,
    RunMyAccountsError,
    ServerError,
    TemporaryFolderError,
)
from airflow_provider_rma.formatting import format_quantity, name_warehouse
from airflow_provider_rma.ledger.chain import MAX_CHAIN_MONTHS, BrokenLinkError
from airflow_provider_rma.ledger.extract_run import ExtractRun
from airflow_provider_rma.ledger.further_months import find_later_months, find_renumbered_months, mark_stale_months
from airflow_provider_rma.ledger.month import MonthRun
from airflow_provider_rma.ledger.proof.accounts import AccountKinds
from airflow_provider_rma.ledger.proof.prove import TOLERANCE
from airflow_provider_rma.ledger.proof.verdicts import ReasonCode
from airflow_provider_rma.ledger.result import LedgerResult, WindowResult
from airflow_provider_rma.ledger.resume import ResumePolicy
from airflow_provider_rma.ledger.rows import new_load_id
from airflow_provider_rma.ledger.run_log import log_month, log_run, unproven_error
from airflow_provider_rma.ledger.windows import (
    REREAD_DAYS,
    Window,
    check_begun,
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

#: Months in a row that may fail because the service does not respond; then it is left alone.
MAX_LOST_MONTHS = 3

_CONNECTION = (ConnectionNotMadeError, IncompleteResponseError, RateLimitedError, ServerError)


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
    :param on_result: receives the result, also of a run that fails.
    :raises ConfigurationError: for a parameter that cannot be understood; nothing was sent.
    :raises UnprovenError: a month could not be read, or with ``fail``, proven. The others are done.
    :raises AuthenticationError: the service refuses the token. Months that were done before stay done, as they do on
        the errors below.
    :raises ConnectionNotMadeError: the service's certificate is not trusted.
    :raises TemporaryFolderError: there is no room for the service's responses.
    :raises DestinationError: the warehouse refused a read or a write.
    """
    if on_unproven not in ("fail", "keep"):
        raise ConfigurationError("on_unproven is neither fail nor keep.", advice="Use fail (default) or keep.")
    today, clock = today or today_in_zurich(), clock or now_utc
    period = list_windows(from_date, to_date, reread_days=reread_days, today=today)
    check_begun(period, today)
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
    months = _Months(run, period, resume, is_over=lambda: stop is not None and clock() >= stop)
    try:
        months.extract()
    except Exception as error:
        months.ended_by = str(error) if isinstance(error, RunMyAccountsError) else type(error).__name__
        _deliver(months.result(), on_result, is_failing=True)
        raise
    result = months.result()
    _deliver(result, on_result, is_failing=bool(result.not_loaded))
    if result.not_loaded:
        raise unproven_error(result) from months.first_failure
    return result


def _deliver(result: LedgerResult, on_result: Callable[[LedgerResult], None] | None, *, is_failing: bool) -> None:
    """Log the result and hand it on.

    :param is_failing: the run fails anyway: its error matters more than one of the receiver.
    """
    log_run(result)
    if on_result is None:
        return
    try:
        on_result(result)
    except Exception:
        if not is_failing:
            raise
        log.exception("Ledger of tenant %s: the result could not be handed on.", result.tenant)


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


class _ServiceLostError(Exception):
    """Too many months in a row could not be read because the service did not respond."""


class _Months:
    """The months of a run, one after the other. One that cannot be read does not keep the others from their turn.

    :param is_over: whether no further month may begin.
    :ivar ended_by: why the run ended before all months had their turn.
    :ivar first_failure: why the first month of those could not be read that could not; None if there is none.
    """

    def __init__(
        self, run: ExtractRun, period: list[Window], resume: ResumePolicy, *, is_over: Callable[[], bool]
    ) -> None:
        self.run, self.period, self.resume, self._is_over = run, period, resume, is_over
        self.ended_by = ""
        self.first_failure: RequestError | None = None
        self._results = dict[Window, WindowResult]()
        self._stale = list[Window]()
        self._renumbered = dict[str, str]()
        self._lost: list[RequestError] = []

    def result(self) -> LedgerResult:
        """Return the result as far as the run has come."""
        run, destination = self.run, self.run.destination
        return LedgerResult(
            tenant=run.tenant,
            load_id=run.load_id,
            kind=destination.kind,
            location=destination.location,
            windows=[self._results[window] for window in sorted(self._results)],
            convention=run.known_convention.names(run.kinds),
            remaining=[window for window in self.period if window not in self._results],
            stale=self._stale,
            renumbered=self._renumbered,
            ended_by=self.ended_by,
        )

    def extract(self) -> None:
        """Extract the months, oldest first, until it is time to stop.

        :raises DestinationError: the warehouse refused a read or a write.
        :raises AuthenticationError: the service refuses the token.
        """
        run, destination = self.run, self.run.destination
        log.info(
            "Ledger of tenant %s: %s, %s to %s, into %s (load %s).",
            run.tenant, format_quantity(len(self.period), "month"), self.period[0], self.period[-1],
            name_warehouse(destination.kind, destination.location), run.load_id,
        )  # fmt: skip
        with destination.keep_open() if self.resume.since else nullcontext():
            done = self.resume.done(destination, run.tenant, self.period)
        try:
            self._extract_all(done)
        except _ServiceLostError as lost:
            if len(self._results) < len(self.period):
                self.ended_by = str(lost)
        self._renumbered = run.convention.renumbered_in(run.load_id)
        read = [*self._results]
        self._stale = sorted({*mark_stale_months(run, read), *find_renumbered_months(run, read)})

    def _extract_all(self, done: Mapping[Window, WindowResult]) -> None:
        for window in self.period:
            if window in done and window not in self.run.chain.read:
                self._results[window] = done[window]
            elif not self._is_over():
                self._extract(window)
        self._repeat_empty_months()
        for month in sorted(find_renumbered_months(self.run, [*self._results])[: self.run.max_chain_months]):
            if not self._is_over():
                self._extract(month)
        for month in find_later_months(self.run, [*self._results], is_over=self._is_over):
            self._extract(month)

    def _extract(self, window: Window) -> None:
        """Extract a month.

        If it does not open as the one before closed, read again first the months since the last balances that agree.

        :raises _ServiceLostError: see :meth:`_note_failure`.
        """
        earlier: list[Window] | None = []
        while earlier is not None:
            for moved in earlier:
                self._extract(moved)
            month = MonthRun(self.run, window)
            try:
                earlier = self._try(month)
            except RequestError as error:
                if _ends_run(error):
                    raise
                self.first_failure = self.first_failure or error
                self._keep(month.fail(error))
                self._note_failure(error)
                return

    def _try(self, month: MonthRun) -> list[Window] | None:
        """Read a month. Returns the months that have to be read before it, None if it has been read."""
        try:
            self.run.read_chart()
            self._keep(month.execute())
        except BrokenLinkError as broken:
            log.info("%s; somebody has booked in an earlier month, following it.", broken)
            return self.run.chain.find_moved(month.window)
        self._lost.clear()
        return None

    def _keep(self, result: WindowResult) -> None:
        log_month(result)
        # A month before a broken link may have been read already.
        self._results[result.window] = result.after(self._results.get(result.window))

    def _note_failure(self, error: RequestError) -> None:
        """Count failures of the same kind, of months in a row.

        :raises _ServiceLostError: there are too many of them.
        """
        is_lost = isinstance(error, _CONNECTION) and not getattr(error, "is_miscounted", False)
        if not is_lost or any(type(other) is not type(error) for other in self._lost):
            self._lost.clear()
        if is_lost:
            self._lost.append(error)
        if len(self._lost) >= MAX_LOST_MONTHS:
            raise _ServiceLostError(f"{len(self._lost)} months in a row failed alike: {error}")

    def _repeat_empty_months(self) -> None:
        """Read again the empty months of which a later one has shown since that the company was founded later."""
        for window in sorted(self._results, reverse=True):
            reasons = self._results[window].reasons
            is_empty = any(reason.code is ReasonCode.NOTHING_STATED for reason in reasons)
            if is_empty and self.run.is_founded_later(window):
                self._extract(window)


def _ends_run(error: RequestError) -> bool:
    """Whether an error holds for every month alike, so that no other one is tried."""
    is_untrusted = isinstance(error, ConnectionNotMadeError) and not error.retryable
    return is_untrusted or isinstance(error, (AuthenticationError, TemporaryFolderError))
