"""Outcome files, and the verdict of a run."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

import pendulum

from airflow_provider_rma.billing.outcomes import GOOD, DocumentResult, Outcome, RunSummary
from airflow_provider_rma.exceptions import BillingError, InDoubtError, RunMyAccountsError

log = logging.getLogger(__name__)


class FileSystem(Protocol):
    """What is needed of an fsspec file system."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder."""

    def open(self, path: str, mode: str = "rb") -> IO[bytes]:
        """Open a file."""


@dataclass(frozen=True)
class RunFolder:
    """Where a run leaves its files.

    The outcome file has a line of JSON for every record: number, outcome, reasons, booked totals. The rejects file has
    the original records that are not in the books as meant, and can be given to the same operator again once corrected.
    Both may hold personal data.

    :param fs: an fsspec file system.
    :param folder: a folder on it, used by no other run.
    :param url: the folder as a user names it; in front of file names in results.
    """

    fs: FileSystem
    folder: str
    url: str

    def create(self, name: str) -> tuple[str, IO[bytes]]:
        """Create a file in the folder; gives its path as a user names it, and a stream to write to."""
        self.fs.makedirs(self.folder, exist_ok=True)
        return f"{self.url}/{name}", self.fs.open(f"{self.folder}/{name}", "wb")

    def text(self, name: str, content: str) -> str:
        """Write a text file in UTF-8; gives its path as a user names it."""
        path, stream = self.create(name)
        with stream:
            stream.write(content.encode())
        return path

    def write(self, rows: Iterable[tuple[DocumentResult, Mapping[str, Any]]], summary: RunSummary) -> None:
        """Write both files, counting the rows into the summary."""
        rejected = 0
        summary.outcome_path, outcomes = self.create("outcomes.ndjson")
        rejects_path, rejects = self.create("rejects.ndjson")
        with outcomes, rejects:
            for row, record in rows:
                summary.add(row)
                outcomes.write(_line(row.as_dict()))
                if row.outcome not in GOOD:
                    rejected += 1
                    rejects.write(_line(record))
        if rejected:
            summary.rejects_path = rejects_path


def finish(summary: RunSummary, failing: Collection[Outcome], failure: RunMyAccountsError | None) -> RunSummary:
    """Log the result and fail if it must.

    :param failure: what ended the run early, if anything did.
    :raises RunMyAccountsError: ``failure``.
    :raises BillingError: if outcomes occurred that fail the run.
    """
    log.info("%s. Outcome file: %s", summary.describe(), summary.outcome_path)
    if failure is not None:
        raise failure
    failed = summary.failed(failing)
    if not failed and not summary.alarms:
        return summary
    counts = ", ".join(f"{count} {name}" for name, count in failed.items()) or "none"
    message = f"{counts} of {sum(summary.counts.values())} {summary.kind}" + (
        f"; stopped: {summary.stopped}" if summary.stopped else ""
    )
    message = "; ".join([message, *summary.alarms])
    files = f"Reasons: {summary.outcome_path}; records to correct: {summary.rejects_path}."
    if Outcome.UNKNOWN in failed:
        raise InDoubtError(
            message,
            advice=f"{_when(summary.retry_at)}; clearing and retrying the task is safe. {files}",
            counts=dict(summary.counts),
            outcome_path=summary.outcome_path,
        )
    raise BillingError(message, advice=files, counts=dict(summary.counts), outcome_path=summary.outcome_path)


def hash_record(record: Mapping[str, Any]) -> bytes:
    """A record of the input in the form over which inputs are hashed."""
    return json.dumps(record, default=str, sort_keys=True).encode() + b"\n"


def hash_records(records: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 over the records of an input, in their order."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(hash_record(record))
    return digest.hexdigest()


def _when(retry_at: float | None) -> str:
    """When a doubt resolves itself, as a sentence without its full stop."""
    if retry_at is None:
        return "A later attempt decides by reading"
    until = pendulum.from_timestamp(retry_at, tz="Europe/Zurich").format("YYYY-MM-DD HH:mm:ss")
    return f"An attempt after {until} (Zurich) decides by reading"


def refused_numbers(outcomes: Iterable[bytes]) -> dict[str, str]:
    """Numbers in an outcome file that are not in the books, with the reason.

    :param outcomes: lines of the file.
    """
    refused = {}
    for line in outcomes:
        row = json.loads(line)
        if row["outcome"] not in GOOD:
            refused[row["number"]] = "; ".join(row.get("reasons", ())) or row["outcome"]
    return refused


def _line(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, ensure_ascii=False) + "\n").encode()
