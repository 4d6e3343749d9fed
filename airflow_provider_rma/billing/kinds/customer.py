"""Create customers, and write named fields of existing ones.

RMA's POST creates or overwrites: what is left out of it is lost. So an existing customer is never written, unless
fields are named as managed; then only these fields of the customer as read are changed, all of it is written, and it is
read again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_rma.billing.files import RunFolder, hash_records
from airflow_provider_rma.billing.journal.model import OPEN, JournalRow, JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.customer_fields import NOT_MANAGED, differing
from airflow_provider_rma.billing.numbers import normalize_number, read_number
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome, RunSummary
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.progress import Progress
from airflow_provider_rma.billing.run_record import Provenance, RunRecord
from airflow_provider_rma.billing.sender import SendAttempt, note_down, refused, send_once, taken
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import (
    ConfigurationError,
    InvalidInputError,
    NotFoundError,
    RequestError,
)
from airflow_provider_rma.schemas.customer import CustomerSchema

log = logging.getLogger(__name__)

_SCHEMA = CustomerSchema()


@dataclass
class CustomerRun:
    """Create customers of one tenant.

    :param journal: the tenant's journal of customers.
    :param managed_fields: fields that are written to existing customers as well; none by default.
    :param failing: outcomes that fail the run.
    :param stop: set by whoever wants the run to end: nothing further is sent then.
    :param witness: what puts the run on record.
    :raises ConfigurationError: for a managed field that cannot be managed.
    """

    client: RunMyAccountsClient
    journal: Journal
    policy: Policy
    output: RunFolder
    run: str
    failing: frozenset[Outcome]
    managed_fields: Sequence[str] = ()
    stop: threading.Event = field(default_factory=threading.Event)
    witness: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        possible = set(_SCHEMA.fields) - NOT_MANAGED
        wrong = sorted(set(self.managed_fields) - possible)
        if wrong:
            raise ConfigurationError(
                f"managed_fields: {', '.join(wrong)} cannot be managed",
                advice=f"Use some of {', '.join(sorted(possible))}.",
            )

    def create(self, records: Iterable[Mapping[str, Any]]) -> RunSummary:
        """Validate everything, then create who does not exist.

        :param records: RMA's customer fields in Python types or text.
        :returns: counts and the paths of the files.
        :raises BillingError: if an outcome occurred that fails the run; everything else was carried out.
        """
        summary = RunSummary("customers", self.run)
        records = list(records)
        summary.input_hash = hash_records(records)
        rows: dict[int, DocumentResult] = {}
        record = RunRecord(
            summary,
            lambda: self._report(records, rows, record.stopped),
            self.output,
            self.client.config,
            self.policy,
            self.failing,
            self.witness,
        )
        with record:
            self._carry_out(self._load(records, rows), rows, summary)
        return summary

    def _load(self, records: Sequence[Mapping[str, Any]], rows: dict[int, DocumentResult]) -> dict[int, dict[str, Any]]:
        """Valid customers by position; the others get their row."""
        customers: dict[int, dict[str, Any]] = {}
        positions: dict[str, list[int]] = {}
        for position, record in enumerate(records, start=1):
            number = read_number(record, "customernumber")
            path = f"customer {number}" if number else f"record {position}"
            try:
                customers[position] = _SCHEMA.from_user(
                    dict(record), path=path, input_timezone=self.policy.rules.input_timezone
                )
            except InvalidInputError as error:
                rows[position] = DocumentResult(position, number, Outcome.INVALID, tuple(map(str, error.problems)))
            if number:
                positions.setdefault(normalize_number(number), []).append(position)
        for repeated in (found for found in positions.values() if len(found) > 1):
            reason = (
                f"customernumber: stands at positions {', '.join(map(str, repeated))} of this batch; "
                "keep the record that is meant, none of them is sent"
            )
            for position in repeated:
                customers.pop(position, None)
                rows[position] = DocumentResult(
                    position, read_number(records[position - 1], "customernumber"), Outcome.INVALID, (reason,)
                )
        log.info("Read and checked %d records.", len(records))
        return customers

    def _carry_out(
        self, customers: Mapping[int, dict[str, Any]], rows: dict[int, DocumentResult], summary: RunSummary
    ) -> None:
        if not customers:
            return
        started = self.journal.now()
        # The books first, then the journal: see Planner.run.
        existing = {normalize_number(str(booked["customernumber"])): booked for booked in self.client.list_customers()}
        entries = self.journal.get(normalize_number(customer["customernumber"]) for customer in customers.values())
        progress = Progress(len(customers), "customers handled")
        for position, customer in customers.items():
            if self.stop.is_set():
                summary.stopped = "the task was asked to end"
                return
            key = normalize_number(customer["customernumber"])
            rows[position] = self._handle(position, customer, existing.get(key), entries.get(key), started)
            progress.step()

    def _handle(
        self,
        position: int,
        customer: dict[str, Any],
        booked: dict[str, Any] | None,
        entry: JournalRow | None,
        started: float,
    ) -> DocumentResult:
        number = customer["customernumber"]
        if booked is not None:
            return self._compare(position, customer, booked)
        if entry is not None and entry.state == JournalState.CREATED and entry.updated_at >= started:
            reason = "created by another run while this one was reading; the next attempt finds it"
            return DocumentResult(position, number, Outcome.UNKNOWN, (reason,))
        if entry is not None and entry.state in OPEN and (entry.settles_at or 0.0) > started:
            reason = f"sent by run {entry.run or '?'} without a reliable answer and not in RMA yet"
            return DocumentResult(position, number, Outcome.UNKNOWN, (reason,))
        return self._write(position, customer, customer, entry, Outcome.CREATED)

    def _compare(self, position: int, customer: dict[str, Any], booked: dict[str, Any]) -> DocumentResult:
        number = customer["customernumber"]
        differ = differing(customer, booked)
        managed = [name for name in differ if name in self.managed_fields]
        if managed:
            merged = _SCHEMA.writable(booked) | {name: customer[name] for name in managed}
            entry = self.journal.get([normalize_number(number)]).get(normalize_number(number))
            return self._write(position, merged, {name: customer[name] for name in managed}, entry, Outcome.UPDATED)
        reasons = (f"differs in RMA, not managed: {', '.join(differ)}",) if differ else ()
        return DocumentResult(position, number, Outcome.UNCHANGED, reasons)

    def _write(
        self,
        position: int,
        customer: dict[str, Any],
        meant: Mapping[str, Any],
        seen: JournalRow | None,
        outcome: Outcome,
    ) -> DocumentResult:
        """Send a customer once, and read back.

        :param customer: all of it, as sent.
        :param meant: the values that must be read back.
        """
        sent = send_once(
            self.journal,
            self.policy,
            lambda: self.client.save_customer(customer),
            number=customer["customernumber"],
            content_hash=_hash(customer),
            seen=seen,
        )
        if sent is None:
            return taken(position, customer["customernumber"])
        if sent.refusal is not None:
            return refused(self.journal, sent, position)
        return self._read_back(position, meant, sent, outcome)

    def _read_back(
        self, position: int, meant: Mapping[str, Any], sent: SendAttempt, outcome: Outcome
    ) -> DocumentResult:
        number, doubt = sent.entry.number, sent.doubt
        try:
            booked = self.client.get_customer(number)
        except NotFoundError:
            reason = f"{doubt or 'accepted'}, but not in RMA yet"
        except RequestError as error:
            reason = f"{doubt or 'accepted'}, and reading back failed ({error.message})"
        else:
            differ = differing(meant, booked)
            if not (doubt and differ):
                note_down(self.journal, sent.entry, JournalState.CREATED)
                if differ:
                    reason = f"saved otherwise than meant: {', '.join(differ)}"
                    return DocumentResult(position, number, Outcome.CONFLICT, (reason,))
                return DocumentResult(position, number, outcome)
            reason = f"{doubt}, and RMA does not show the values meant"
        note_down(self.journal, sent.entry, JournalState.UNKNOWN, note=reason)
        return DocumentResult(position, number, Outcome.UNKNOWN, (reason,))

    def _report(
        self,
        records: Sequence[Mapping[str, Any]],
        rows: Mapping[int, DocumentResult],
        stopped: str,
    ) -> Iterable[tuple[DocumentResult, Mapping[str, Any]]]:
        reason = f"not sent: {stopped or 'the run ended early'}"
        for position, record in enumerate(records, start=1):
            held = DocumentResult(position, read_number(record, "customernumber"), Outcome.HELD, (reason,))
            yield rows.get(position, held), record


def _hash(customer: Mapping[str, Any]) -> str:
    text = json.dumps(_SCHEMA.to_wire(dict(customer)), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
