"""Need this month be read? Two reasons say no, and both rest on the last full reading that the warehouse records.

With ``resume_since``, an earlier run has done the month: it is passed over without a request. With ``skip_unchanged``,
the service states the balances that it stated then: the month is marked as ``balances_only``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.proof.balances import BalanceStatement, StatedBalance
from airflow_provider_rma.ledger.proof.verdicts import PROVEN, Reason, ReasonCode, Verdict
from airflow_provider_rma.ledger.result import MonthState, WindowResult
from airflow_provider_rma.ledger.windows import ZURICH, Window, format_months

if TYPE_CHECKING:
    from airflow_provider_rma.ledger.destinations.base import Destination

log = logging.getLogger(__name__)

#: A month that was read in full longer ago than this is read again. Half a day less than a week: a daily run that
#: begins some minutes earlier than the one a week ago must not put it off by another day.
FULL_EVERY = timedelta(days=6, hours=12)

#: Reasons that leave the verdict as it is.
_HARMLESS = frozenset({ReasonCode.SIGN_DEVIATES, ReasonCode.CLOSED_MONTH_CHANGED})


@dataclass(frozen=True)
class ResumePolicy:
    """Which months count as done.

    :param since: the last full reading counts if it was loaded and proven, and began at this instant or later; None:
        every month is read.
    :param today: the run's day in Zurich. A month that was not over when it was read counts on that day only: what was
        booked in it afterwards is missing.
    """

    since: datetime | None
    today: date

    def done(self, destination: Destination, tenant: str, period: Sequence[Window]) -> dict[Window, WindowResult]:
        """Find the months that are done, with what is known of them. The service is not asked."""
        if self.since is None:
            return {}
        results = {window: self._result(destination, tenant, window) for window in period}
        done = {window: result for window, result in results.items() if result is not None}
        if done:
            log.info(
                "Ledger of tenant %s: passing over %d of %d months, loaded and proven since %s (%s).",
                tenant, len(done), len(period), pendulum.instance(self.since).to_iso8601_string(), format_months(done),
            )  # fmt: skip
        return done

    def _result(self, destination: Destination, tenant: str, window: Window) -> WindowResult | None:
        reading = last_reading(destination.read_table("loads", tenant, window))
        if reading is None or not self._counts(window, reading["started_at"]):
            return None
        rows = destination.count_postings(tenant, window)
        if rows != reading["rows"]:
            log.warning(
                "%s: %d postings were loaded, and %d are there; the month is read again.", window, reading["rows"], rows
            )
            return None
        verdict = Verdict(reading["verdict"])
        proofs = destination.read_table("proofs", tenant, window).to_pylist()
        return WindowResult(
            window=window,
            state=MonthState.DONE,
            verdict=verdict,
            reasons=tuple(_stored_reasons(proofs, reading["load_id"], verdict)),
            rows=rows,
            rows_before=rows,
            attempts=0,
            calls=0,
            seconds=0.0,
            load_id=reading["load_id"],
        )

    def _counts(self, window: Window, started: datetime) -> bool:
        day = pendulum.instance(started).in_timezone(ZURICH).date()
        return self.since is not None and started >= self.since and (day > window.end or day == self.today)


def last_reading(loads: pa.Table) -> dict[str, Any] | None:
    """Find the last full reading of a month, if it was loaded and proven: its row of ``loads``, times in UTC.

    :param loads: the month's rows of ``loads``.
    """
    readings = [
        row | {"started_at": _in_utc(row["started_at"])}
        for row in loads.to_pylist()
        if row["verdict"] != Verdict.BALANCES_ONLY
    ]
    last: dict[str, Any] | None = max(readings, key=lambda row: row["started_at"], default=None)
    return last if last is not None and last["loaded"] and last["verdict"] in PROVEN else None


def _stored_reasons(proofs: Sequence[Mapping[str, Any]], load_id: str, verdict: Verdict) -> Iterator[Reason]:
    """The reasons of a reading as they were stored, unless the month was marked otherwise since."""
    known = {code.value for code in ReasonCode}
    for row in proofs:
        if row["accno"] is None and row["load_id"] == load_id:
            for stored in json.loads(row["reasons"] or "[]"):
                if stored["code"] in known:
                    code = ReasonCode(stored["code"])
                    yield Reason(code, stored["text"], Verdict.EXACT if code in _HARMLESS else verdict)


def unchanged_since(
    destination: Destination, tenant: str, window: Window, statement: BalanceStatement, now: datetime
) -> datetime | None:
    """Find the last full reading since which the balances of a month are the same. Returns None if it has to be read.

    :param statement: what the service states now.
    :param now: the present, with a zone.
    :returns: when that reading began.
    """
    reading = last_reading(destination.read_table("loads", tenant, window))
    started: datetime | None = reading["started_at"] if reading is not None else None
    if started is None or not timedelta(0) <= now - started < FULL_EVERY:
        return None
    stored = _stored_balances(destination.read_table("balances", tenant, window))
    return started if stored == dict(statement.accounts) else None


def not_read_reason(since: datetime) -> Reason:
    """Say why a month was not read."""
    return Reason(
        ReasonCode.NOT_READ,
        f"Not read: the service states the same balances as at the last full reading ({since:%Y-%m-%d %H:%M} UTC).",
        Verdict.BALANCES_ONLY,
    )


def mark_balances_only(proofs: pa.Table, load_id: str, reasons: str | None) -> pa.Table:
    """Mark the proofs of a month that is loaded, and of which only balances were compared now.

    :param proofs: the month's rows of ``proofs``, those of a refused reading included.
    :param reasons: of the month as a whole, as JSON.
    """
    rows: list[dict[str, Any]] = [
        row
        | {"verdict": Verdict.BALANCES_ONLY.value, "load_id": load_id}
        | ({"reasons": reasons} if row["accno"] is None else {})
        for row in proofs.to_pylist()
        if row["loaded"]
    ]
    return pa.Table.from_pylist(rows, proofs.schema)


def _stored_balances(balances: pa.Table) -> dict[str, StatedBalance]:
    return {
        row["accno"]: StatedBalance(
            row["basis"], opening=row["opening"], closing=row["closing"], movement=row["movement"]
        )
        for row in balances.to_pylist()
    }


def _in_utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
