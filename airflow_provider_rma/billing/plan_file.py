"""Plans on file: what a run would do, for a person to read and for a later run to carry out exactly.

A plan is NDJSON: a header, then one line for each record with the decision about it, its reasons and the document as it
would be sent. It holds names and texts of invoices, so it is a file of the tenant like outcome files.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any

import pendulum

from airflow_provider_rma.billing.kinds.invoice import Document
from airflow_provider_rma.billing.outcomes import CREATE, DocumentResult, Outcome, plain
from airflow_provider_rma.billing.working_set import WorkingSet
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


class HashingWriter:
    """Writes bytes to a stream and hashes them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()

    def write(self, line: Mapping[str, Any]) -> None:
        """Write one line of JSON."""
        data = (json.dumps(line, ensure_ascii=False) + "\n").encode()
        self._hash.update(data)
        self._stream.write(data)

    @property
    def digest(self) -> str:
        """SHA-256 of everything written."""
        return self._hash.hexdigest()


def plan_lines(spool: WorkingSet) -> Iterator[dict[str, Any]]:
    """The lines of a plan, one for each record of a spool that was decided."""
    for row, document, position, number, record in spool.plan():
        figures = document.figures if document else None
        yield {
            "position": position,
            "number": number,
            "decision": CREATE if row is None else str(row.outcome),
            "reasons": [] if row is None else list(row.reasons),
            "net": _text(row.net if row else figures.net if figures else None),
            "gross": _text(row.gross if row else figures.gross if figures else None),
            "currency": document.currency if document else None,
            "transdate": document.invoice["transdate"].isoformat() if document else None,
            "customernumber": document.customernumber if document else None,
            "document": json.loads(document.to_json()) if document else None,
            "record": record,
        }


def write_plan(stream: IO[bytes], header: PlanHeader, spool: WorkingSet) -> str:
    """Write a plan, filling counts and amount of its header.

    :returns: SHA-256 of the file.
    """
    counts: Counter[str] = Counter()
    amount = Decimal(0)
    for line in plan_lines(spool):
        counts[line["decision"]] += 1
        if line["decision"] == CREATE:
            amount += abs(Decimal(line["gross"] or line["net"] or 0))
    header.counts, header.amount = plain(counts), f"{amount:.2f}"
    header.customers = list(spool.remarks())
    header.created_at = pendulum.now("UTC").to_iso8601_string()
    writer = HashingWriter(stream)
    writer.write(vars(header))
    for line in plan_lines(spool):
        writer.write(line)
    return writer.digest


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
        """The lines after the header."""
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


def load_plan(spool: WorkingSet, reader: PlanReader) -> None:
    """Put the documents of a plan into a spool, each with what the plan says about it."""
    for line in reader.lines():
        position, number, decision = line["position"], line["number"], line["decision"]
        result: Document | DocumentResult
        if line["document"] is None:
            result = DocumentResult(position, number, Outcome(decision), tuple(line["reasons"]))
        else:
            result = Document.from_json(position, json.dumps(line["document"]))
        spool.add(position, number, line["record"], result, planned=decision)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
