"""What a run leaves behind beside its outcome file: a link in the tenant's chain of evidence, and a page to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pendulum

from airflow_provider_rma.billing.evidence.writer import EvidenceWriter, RunFacts
from airflow_provider_rma.billing.files import RunFolder
from airflow_provider_rma.billing.outcomes import DocumentResult, RunSummary
from airflow_provider_rma.billing.pages.html import run_html
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.exceptions import RunMyAccountsError


@dataclass(frozen=True)
class Provenance:
    """For whom and by what a run is put on record.

    :param evidence: writer of the tenant's chain of evidence; None leaves none.
    :param approver: who approved the plan; empty if nobody did.
    :param versions: versions that only the caller knows, e.g. of Airflow.
    """

    evidence: EvidenceWriter | None = None
    approver: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def close_run(
    rows: Callable[[], Iterable[tuple[DocumentResult, Mapping[str, Any]]]],
    summary: RunSummary,
    *,
    output: RunFolder,
    config: ClientConfig,
    policy: Policy,
    witness: Provenance,
    started: datetime,
    failure: RunMyAccountsError | None,
) -> None:
    """Write the outcome and reject files, the evidence, and a page of the run.

    :param rows: gives row and original record of every record, each time it is called.
    :param started: when the run began, with its time zone.
    :param failure: what ended the run early, if anything did.
    :raises EvidenceError: if the evidence could not be written; the outcome file is there.
    """
    output.write(rows(), summary)
    facts = RunFacts(
        run=summary.run,
        kind=summary.kind,
        started=started,
        finished=pendulum.now("UTC"),
        plan_hash=summary.plan_hash,
        input_hash=summary.input_hash,
        approver=witness.approver,
        stopped=summary.stopped or (failure.message if failure else ""),
        brakes={"max_count": policy.max_count, "max_amount": str(policy.max_amount)},
        versions=witness.versions,
    )
    ref = None
    if witness.evidence is not None:
        ref = witness.evidence.write(facts, (row.as_dict() for row, _ in rows()))
        summary.evidence_path, summary.evidence_hash = ref.path, ref.hash
    page = run_html(
        facts,
        (row.as_dict() for row, _ in rows()),
        service=config.origin,
        tenant=config.tenant,
        outcome_path=summary.outcome_path,
        rejects_path=summary.rejects_path,
        retry_at=summary.retry_at,
        evidence=ref,
    )
    summary.page_path = output.text("outcomes.html", page)
