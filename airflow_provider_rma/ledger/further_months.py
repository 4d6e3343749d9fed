"""Months outside of its period that a run reads as well, since they are not as the books have them now.

Somebody who books in January moves the openings of every month since. Where only January is read, the run goes on with
the months after it, up to the first that opens as the month before closes. Those for which it has no time, or which
are more than ``max_chain_months``, are marked in the warehouse: two months that contradict each other are never both
called proven.

An account that gets another number has it in all months. Those that hold it under the old number are read again too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

import pendulum

from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.destinations.base import WindowTables
from airflow_provider_rma.ledger.extract_run import ExtractRun
from airflow_provider_rma.ledger.proof.verdicts import Reason, ReasonCode, Verdict
from airflow_provider_rma.ledger.rows import load_table, provider_version, reasons_json
from airflow_provider_rma.ledger.windows import MonthLoad, Window, format_months

log = logging.getLogger(__name__)


def find_later_months(run: ExtractRun, read: Sequence[Window], *, is_over: Callable[[], bool]) -> Iterator[Window]:
    """Find the later months that open otherwise now, at most as many as the run may follow.

    :param read: months that the run has read.
    :param is_over: whether it is time to stop.
    :returns: the months, each to be read before the next is asked for.
    """
    for window in sorted(read):
        month, left = window, run.max_chain_months
        while run.opens_otherwise(month.next) and left and not is_over():
            log.info("%s opens otherwise than %s closes now; reading it again.", month.next, month)
            month, left = month.next, left - 1
            yield month


def mark_stale_months(run: ExtractRun, read: Sequence[Window]) -> list[Window]:
    """Mark the later months that open otherwise now and were not read.

    :param read: months that the run has read.
    :returns: the months that were marked.
    """
    stale = list[Window]()
    for window in sorted(read):
        if not run.opens_otherwise(window.next):
            continue
        month = window.next
        while run.is_proven(month):
            _mark(run, month, window)
            stale.append(month)
            month = month.next
    if stale:
        log.warning(
            "Ledger of tenant %s: %s open otherwise now and were not read; they are marked as not proven until they "
            "are read again.", run.tenant, format_months(stale),
        )  # fmt: skip
    return stale


def find_renumbered_months(run: ExtractRun, read: Sequence[Window]) -> list[Window]:
    """Find the loaded months, around those that the run has read, with an account under a number that it has no more.

    :param read: months that the run has read.
    :returns: the months, the latest first.
    """
    if not read or not run.convention.is_renumbering_open:
        return []
    with run.destination.keep_open():
        found = [month for month in read if run.chain.renumbered(month)]
        found += [*_outdated(run, min(read).previous, -1), *_outdated(run, max(read).next, 1)]
    if not found:
        run.keep_signs(run.convention.with_renumberings_done())
    return sorted(found, reverse=True)


def _outdated(run: ExtractRun, month: Window, step: int) -> Iterator[Window]:
    while run.destination.is_loaded(run.tenant, month):
        if run.chain.renumbered(month):
            yield month
        month = month.next if step > 0 else month.previous


def _mark(run: ExtractRun, month: Window, changed: Window) -> None:
    """Mark a month as not proven. Its postings and balances stay as they are."""
    reason = Reason(
        ReasonCode.OPENING_STALE,
        f"The month opens as {changed} closed before somebody booked there, and was not read since.",
        Verdict.UNPROVEN,
    )
    destination, now = run.destination, pendulum.now("UTC")
    with destination.keep_open(), destination.stage(run.tenant, month) as stage:
        rows = destination.count_postings(run.tenant, month)
        load = MonthLoad(run.tenant, month, run.load_id).columns() | {
            "started_at": now, "finished_at": now, "rows": rows, "rows_before": rows, "announced": None,
            "verdict": Verdict.UNPROVEN.value, "loaded": True, "attempts": 0, "calls": 0, "seconds": 0.0,
            "run": run.task_run or None, "provider_version": provider_version() or None,
        }  # fmt: skip
        stage.confirm(
            WindowTables(
                balances=destination.read_table("balances", run.tenant, month),
                proofs=_marked_proofs(destination.read_table("proofs", run.tenant, month), run.load_id, reason),
                load=load_table(load),
            )
        )


def _marked_proofs(proofs: pa.Table, load_id: str, reason: Reason) -> pa.Table:
    whole = {"verdict": reason.verdict.value, "reasons": reasons_json([reason])}
    rows = [
        row | {"load_id": load_id} | (whole if row["accno"] is None else {})
        for row in proofs.to_pylist()
        if row["loaded"]
    ]
    return pa.Table.from_pylist(rows, proofs.schema)
