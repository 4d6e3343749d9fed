"""Log lines of a run and of its months, and the error of a run that is not proven."""

from __future__ import annotations

import logging

from airflow_provider_rma.exceptions import UnprovenError
from airflow_provider_rma.formatting import format_count, format_quantity
from airflow_provider_rma.ledger.proof.verdicts import Verdict
from airflow_provider_rma.ledger.result import FIRST_REASONS, LedgerResult, MonthState, WindowResult
from airflow_provider_rma.ledger.windows import format_months

log = logging.getLogger(__name__)

#: Months that the error of a run names.
_NAMED = 12


def log_month(result: WindowResult) -> None:
    """Log one line for a window, and one for each of its first reasons."""
    level = logging.INFO if result.is_loaded else logging.WARNING
    log.log(
        level,
        "%s: %s postings (%s before), %s, %s; %d calls, %.1f s.",
        result.window, format_count(result.rows), format_count(result.rows_before), result.verdict.value,
        result.state.value, result.calls, result.seconds,
    )  # fmt: skip
    if result.slices:
        log.info("%s: read in %d parts: %s.", result.window, len(result.slices), "; ".join(result.slices))
    if result.changes:
        log.info("%s: vouchers since it was loaded before: %s.", result.window, result.changes)
    for reason in result.reasons[:FIRST_REASONS]:
        log.log(logging.WARNING if reason.verdict.needs_attention else logging.INFO, "%s: %s", result.window, reason)
    if len(result.reasons) > FIRST_REASONS:
        log.warning(
            "%s: %d further reasons are in the table of proofs.", result.window, len(result.reasons) - FIRST_REASONS
        )


def log_run(result: LedgerResult) -> None:
    """Log what became of a run, and what it had no time for."""
    changed, unchanged, done = (
        len(result.months(state)) for state in (MonthState.CHANGED, MonthState.UNCHANGED, MonthState.DONE)
    )
    not_loaded = len(result.not_loaded)
    if changed or not_loaded:
        before = f", {done} done before" if done else ""
        log.info(
            "Ledger of tenant %s: %s in %s, %d changed, %d unchanged%s, %d not loaded; verdict %s.",
            result.tenant, format_quantity(result.rows, "posting"), format_quantity(len(result.windows), "month"),
            changed, unchanged, before, not_loaded, result.verdict.value,
        )  # fmt: skip
    elif done < len(result.windows):
        log.info(
            "Ledger of tenant %s: nothing has changed; %s in %s proven again, verdict %s.",
            result.tenant, format_quantity(sum(month.rows for month in result.read), "posting"),
            format_quantity(len(result.read), "month"), result.verdict.value,
        )  # fmt: skip
    elif not result.remaining:
        log.info(
            "Ledger of tenant %s: all %d months had been done before, nothing was read; verdict %s.",
            result.tenant, done, result.verdict.value,
        )  # fmt: skip
    if result.ended_by:
        log.error(
            "Ledger of tenant %s: ended before its end: %s %d of %d months did not have their turn.",
            result.tenant, result.ended_by, len(result.remaining), len(result.windows) + len(result.remaining),
        )  # fmt: skip
    elif result.remaining:
        log.info(
            "Ledger of tenant %s: stopped, %d of %d months remain (%s); the next run with resume_since goes on.",
            result.tenant, len(result.remaining), len(result.windows) + len(result.remaining),
            format_months(result.remaining),
        )  # fmt: skip


def unproven_error(result: LedgerResult) -> UnprovenError:
    """Make the error of a run with months that were not loaded."""
    bad = {month.window.name: month.verdict.value for month in result.not_loaded}
    shown = [
        f"{month.window.name} ({month.state.label if month.state is MonthState.FAILED else month.verdict.value})"
        for month in result.not_loaded
    ]
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    failed, rejected = result.months(MonthState.FAILED), result.months(MonthState.REJECTED)
    problem = " or ".join(filter(None, ("read" if failed else "", "proven" if rejected else "")))
    sentences = [
        f"{len(bad)} of {len(result.windows)} months could not be {problem} and keep their old state: "
        f"{', '.join(shown[:_NAMED])}{more}."
    ]
    if result.ended_by:
        sentences.append(f"The run ended early, {len(result.remaining)} further months had no turn: {result.ended_by}")
    reasons = result.reasons()
    return UnprovenError(
        " ".join([*sentences, *reasons[:3]]),
        advice="The page of the run says what to do; the table proofs has every reason.",
        windows=bad,
        reasons=reasons,
        # What could be read and not proven says the same tomorrow, unless the books only moved.
        retryable=any(month.retryable for month in result.not_loaded)
        or {month.verdict for month in result.not_loaded} == {Verdict.UNSETTLED},
    )
