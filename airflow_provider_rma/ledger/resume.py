"""Months that an earlier run has done: they are passed over without a request."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_rma.ledger.proof.prove import Reason, ReasonCode, Verdict
from airflow_provider_rma.ledger.result import MonthState, WindowResult
from airflow_provider_rma.ledger.schedule import ZURICH
from airflow_provider_rma.ledger.skip import last_reading
from airflow_provider_rma.ledger.windows import Window, bounds

if TYPE_CHECKING:
    from airflow_provider_rma.ledger.destinations import Destination

log = logging.getLogger(__name__)

#: Reasons that leave the verdict as it is.
_HARMLESS = frozenset({ReasonCode.SIGN_DEVIATES, ReasonCode.CLOSED_MONTH_CHANGED})


@dataclass(frozen=True)
class ResumePolicy:
    """Which months count as done.

    :param since: the last full reading counts if it was loaded and proven, and began at this moment or later; None:
        every month is read.
    :param today: the run's day in Zurich. A month that was not over when it was read counts on that day only: what was
        booked in it afterwards is missing.
    """

    since: datetime | None
    today: date

    def done(self, destination: Destination, tenant: str, period: Sequence[Window]) -> dict[Window, WindowResult]:
        """The months that are done, with what is known of them. The service is not asked."""
        if self.since is None:
            return {}
        results = {window: self._result(destination, tenant, window) for window in period}
        done = {window: result for window, result in results.items() if result is not None}
        if done:
            log.info(
                "Ledger of tenant %s: passing over %d of %d months, loaded and proven since %s (%s).",
                tenant, len(done), len(period), pendulum.instance(self.since).to_iso8601_string(), bounds(done),
            )  # fmt: skip
        return done

    def _result(self, destination: Destination, tenant: str, window: Window) -> WindowResult | None:
        reading = last_reading(destination.table("loads", tenant, window))
        if reading is None or not self._counts(window, reading["started_at"]):
            return None
        rows = destination.rows(tenant, window)
        if rows != reading["rows"]:
            log.warning(
                "%s: %d postings were loaded, and %d are there; the month is read again.", window, reading["rows"], rows
            )
            return None
        verdict = Verdict(reading["verdict"])
        proofs = destination.table("proofs", tenant, window).to_pylist()
        return WindowResult(
            window=window,
            state=MonthState.DONE,
            verdict=verdict,
            reasons=tuple(_reasons(proofs, reading["load_id"], verdict)),
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


def _reasons(proofs: Sequence[Mapping[str, Any]], load_id: str, verdict: Verdict) -> Iterator[Reason]:
    """The reasons of a reading as they were stored, unless the month was marked otherwise since."""
    known = {code.value for code in ReasonCode}
    for row in proofs:
        if row["accno"] is None and row["load_id"] == load_id:
            for one in json.loads(row["reasons"] or "[]"):
                if one["code"] in known:
                    code = ReasonCode(one["code"])
                    yield Reason(code, one["text"], Verdict.EXACT if code in _HARMLESS else verdict)
