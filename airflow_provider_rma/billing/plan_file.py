"""Plans on file: what a run would do, for a person to read and for a later run to carry out exactly.

A plan is NDJSON: a header, then one line for each record with the decision about it, its reasons and the document as it
would be sent. It holds names and texts of invoices, so it is a file of the tenant like outcome files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any, Generic

import pendulum

from airflow_provider_rma.billing.kinds.base import D, DocumentKind
from airflow_provider_rma.billing.outcomes import CREATE, DocumentResult, Outcome, plain
from airflow_provider_rma.billing.working_set import DecidedRecord, WorkingSet
from airflow_provider_rma.exceptions import ConfigurationError

VERSION = 1


@dataclass
class PlanHeader:
    """What a plan is about.

    :param service: address of the service.
    :param counts: records by decision.
    :param amount: sum of the amounts (without sign) of what would be sent, in CHF as far as it can be known.
    :param closed_until: last day of the closed period as far as it is known (inclusive), empty if it is not.
    :param input_hash: SHA-256 over the records, in the order of the input.
    :param created_at: when the books were read, UTC.
    :param customers: customers whom full records in invoices would create or overwrite, by names of fields.
    """

    tenant: str
    service: str
    run: str
    input_hash: str
    closed_until: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    amount: str = "0.00"
    created_at: str = ""
    customers: list[dict[str, Any]] = field(default_factory=list)
    plan: int = VERSION


class PlanWriter(Generic[D]):
    """Writes a plan, filling counts and amount of its header.

    :param stream: the file.
    """

    def __init__(self, stream: IO[bytes], header: PlanHeader, working_set: WorkingSet[D]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._header = header
        self._working_set = working_set

    def write(self) -> Iterator[dict[str, Any]]:
        """Write header and lines.

        :returns: each line without its record, once it is written.
        """
        header, working_set = self._header, self._working_set
        header.counts = plain(working_set.count_decisions())
        header.amount = f"{working_set.measure()[1]:.2f}"
        header.customers = list(working_set.customer_effects())
        header.created_at = pendulum.now("UTC").to_iso8601_string()
        self._write(_to_json(vars(header)))
        for decided in working_set.decided():
            line = _describe(decided)
            # The record is JSON already.
            self._write(f'{_to_json(line)[:-1]}, "record": {decided.source}}}')
            yield line

    @property
    def digest(self) -> str:
        """SHA-256 of everything written."""
        return self._hash.hexdigest()

    def _write(self, text: str) -> None:
        data = text.encode() + b"\n"
        self._hash.update(data)
        self._stream.write(data)


def _describe(decided: DecidedRecord[Any]) -> dict[str, Any]:
    """Return the line of a plan, without its record."""
    document, result = decided.document, decided.result
    totals = result or (document.totals if document else None)
    return {
        "position": decided.position,
        "number": decided.number,
        "decision": CREATE if result is None else str(result.outcome),
        "reasons": [] if result is None else list(result.reasons),
        "net": _text(totals.net if totals else None),
        "gross": _text(totals.gross if totals else None),
        "currency": document.currency if document else None,
        "transdate": document.booking_date.isoformat() if document and document.booking_date else None,
        "customernumber": document.customernumber if document else None,
        "document": document.to_json() if document else None,
    }


@dataclass
class PlanReader:
    """Reads a plan, and knows its hash at the end.

    :param stream: the file.
    :raises ConfigurationError: if it is no plan, or one of another version.
    """

    stream: Iterable[bytes]

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()
        self._lines = iter(self.stream)
        values = self._next()
        if not values or values.get("plan") != VERSION:
            raise ConfigurationError("plan: the file is no plan of this version", advice="Plan again.")
        self.header = PlanHeader(**values)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Read the lines after the header."""
        count = 0
        while (values := self._next()) is not None:
            count += 1
            yield values
        if count != sum(self.header.counts.values()):
            raise ConfigurationError(
                f"plan: the file has {count} records, its header says {sum(self.header.counts.values())}",
                advice="The file is damaged; plan again.",
            )

    @property
    def digest(self) -> str:
        """SHA-256 of what was read."""
        return self._hash.hexdigest()

    def _next(self) -> dict[str, Any] | None:
        line = next(self._lines, None)
        if line is None:
            return None
        self._hash.update(line)
        try:
            values: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise ConfigurationError("plan: the file is damaged", advice="Plan again.") from error
        return values


def load_plan(kind: DocumentKind[D], working_set: WorkingSet[D], reader: PlanReader) -> None:
    """Put the documents of a plan into a working set, each with the decision of the plan about it."""
    for line in reader.lines():
        position, decision, values = line["position"], line["decision"], line["document"]
        if values is None:
            result = DocumentResult(position, line["number"], Outcome(decision), tuple(line["reasons"]))
            working_set.add_result(result, line["record"], planned=decision)
        else:
            working_set.add(kind.from_json(position, values), line["record"], planned=decision)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
