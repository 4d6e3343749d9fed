"""The files of a run: their names, their folders, what is written into them, and which of them are perishable."""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import IO, Any, Protocol

from airflow_provider_rma.billing.outcomes import GOOD, DocumentResult, Outcome, RunSummary
from airflow_provider_rma.billing.storage import OWNER_ONLY, create_file, describe_error, is_local, try_folder
from airflow_provider_rma.exceptions import ConfigurationError, RunMyAccountsError, StorageError

OUTCOMES = "outcomes.ndjson"
JOURNAL_OUTCOMES = "outcomes-from-journal.ndjson"
REJECTS = "rejects.ndjson"
RUN_PAGE = "outcomes.html"
IMPORT_REPORT = "journal-import.ndjson"

#: Endings of the files of a plan, all of which are named by its hash.
PLAN, PLAN_SUMMARY, PLAN_PAGE = "ndjson", "md", "html"
_PLAN_NAME = re.compile(r"plan-([0-9a-f]{64})\.(?:ndjson|md|html)")
_UNFINISHED = re.compile(r"\.unfinished-[0-9a-f]{32}")

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
#: File systems take 255 bytes; a name of a run has a number behind it.
_LONGEST_NAME, _LONGEST_READABLE = 120, 80

#: Ending of a local file until it takes the place of the one that grew during the run.
_NEW = ".new"

_PERISHABLE = frozenset({OUTCOMES, OUTCOMES + _NEW, JOURNAL_OUTCOMES, REJECTS, RUN_PAGE})

#: Folder of a tenant's chain of evidence, and of its import reports, within the tenant's folder.
EVIDENCE_FOLDER = "evidence"
IMPORT_FOLDER = "journal-import"


class FileSystem(Protocol):
    """The part of an fsspec file system that a run needs."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder."""

    def open(self, path: str, mode: str = "rb") -> IO[bytes]:
        """Open a file."""

    def exists(self, path: str) -> bool:
        """Whether there is a file."""

    def mv(self, path1: str, path2: str) -> None:
        """Give a file another name."""

    def rm_file(self, path: str) -> None:
        """Remove a file."""


def plan_file_name(digest: str, ending: str) -> str:
    """Return the name of a file of a plan.

    :param digest: SHA-256 of the plan file, also for its summary and its page.
    :param ending: :data:`PLAN`, :data:`PLAN_SUMMARY` or :data:`PLAN_PAGE`.
    """
    return f"plan-{digest}.{ending}"


def read_plan_digest(path: str) -> str | None:
    """Return the SHA-256 by which a plan file is named, None if it has another name."""
    match = _PLAN_NAME.fullmatch(path.rpartition("/")[2])
    return match[1] if match else None


def is_perishable(name: str) -> bool:
    """Whether people act upon a file soon and it may hold personal data.

    Every other file stays whatever its age, above all evidence.
    """
    return name in _PERISHABLE or bool(_PLAN_NAME.fullmatch(name) or _UNFINISHED.fullmatch(name))


@dataclass(frozen=True)
class RunFolder:
    """The folder in which a run leaves its files.

    :param fs: an fsspec file system.
    :param folder: a folder on it, used by no other run.
    :param url: the folder as a user names it; prefix of file names in results.
    :param mode: of the files, on a local file system.
    """

    fs: FileSystem
    folder: str
    url: str
    mode: int = OWNER_ONLY

    def try_writing(self) -> None:
        """Find out whether files can be written.

        :raises StorageError: if they cannot.
        """
        try_folder(self.fs, self.folder, f"the folder of the run, {self.url},", self.mode)

    def create(self, name: str) -> tuple[str, IO[bytes]]:
        """Create a file in the folder.

        :returns: its path as a user names it, and a stream to write to.
        """
        return f"{self.url}/{name}", create_file(self.fs, f"{self.folder}/{name}", self.mode)

    @contextmanager
    def create_unfinished(self) -> Iterator[UnfinishedFile]:
        """Create a file whose name is known when it is written: until then nobody takes it for a whole one.

        It is removed unless it was finished. If the process is killed, it stays under its temporary name.
        """
        name = f".unfinished-{uuid.uuid4().hex}"
        _, stream = self.create(name)
        file = UnfinishedFile(self, name, stream)
        try:
            with stream:
                yield file
        finally:
            if not file.is_finished:
                with suppress(Exception):
                    self.fs.rm_file(f"{self.folder}/{name}")

    def write(self, name: str, content: bytes) -> str:
        """Write a file.

        :returns: its path as a user names it.
        :raises StorageError: if it cannot be written.
        """
        path = f"{self.url}/{name}"
        with storage_errors(path), self.create(name)[1] as stream:
            stream.write(content)
        return path

    def write_text(self, name: str, content: str) -> str:
        """Write a text file in UTF-8, see :meth:`write`."""
        return self.write(name, content.encode())

    def open_growing(self, name: str) -> IO[bytes] | None:
        """Create a local file that is written line by line, each at once; None on storage that has no such files."""
        if not is_local(self.fs):
            return None
        with storage_errors(f"{self.url}/{name}"):
            self.create(name)[1].close()
            # Not buffered: a row that was appended survives the death of the process.
            return open(f"{self.folder}/{name}", "ab", buffering=0)

    def beside(self, folder: str, url: str, run_id: str) -> RunFolder:
        """Return the folder of another run; where that has another storage, a folder within this one.

        :param folder: the other run's folder on its file system.
        :param url: the same, as a user names it.
        """
        storage = self.url.removesuffix(self.folder)
        if folder and storage + folder == url:
            return replace(self, folder=folder, url=url)
        name = f"earlier-run-{run_id[:8]}"
        return replace(self, folder=f"{self.folder}/{name}", url=f"{self.url}/{name}")

    def write_outcomes(self, results: Iterable[tuple[DocumentResult, Mapping[str, Any]]], summary: RunSummary) -> None:
        """Write the outcome file, and put its path into the summary.

        It has a line of JSON for every record: number, outcome, reasons, booked totals. It may hold personal data.

        :param results: outcome and original record of every record.
        :raises StorageError: if it cannot be written.
        """
        # A local file takes the place of the one that grew during the run when it is complete.
        name = OUTCOMES + _NEW if is_local(self.fs) else OUTCOMES
        with storage_errors(f"{self.url}/{OUTCOMES}"):
            try:
                with self.create(name)[1] as stream:
                    stream.writelines(to_line(result.as_dict()) for result, _ in results)
                if name != OUTCOMES:
                    os.replace(f"{self.folder}/{name}", f"{self.folder}/{OUTCOMES}")
            except OSError:
                if name != OUTCOMES:
                    with suppress(OSError):
                        os.unlink(f"{self.folder}/{name}")
                raise
        summary.outcome_path = f"{self.url}/{OUTCOMES}"

    def write_rejects(self, results: Iterable[tuple[DocumentResult, Mapping[str, Any]]], summary: RunSummary) -> None:
        """Write the rejects file, and put its path into the summary if it holds anything.

        It has the original records that are not in the books as meant, and can be given to the same operator again once
        corrected. It may hold personal data.

        :param results: outcome and original record of every record.
        :raises StorageError: if it cannot be written.
        """
        rejected = 0
        path = f"{self.url}/{REJECTS}"
        with storage_errors(path), self.create(REJECTS)[1] as stream:
            for result, record in results:
                if result.outcome not in GOOD:
                    rejected += 1
                    stream.write(to_line(record))
        if rejected:
            summary.rejects_path = path


@contextmanager
def storage_errors(path: str) -> Iterator[None]:
    """Turn the errors of a file system into :class:`StorageError`.

    :param path: the file that is written, as a user names it.
    """
    try:
        yield
    except RunMyAccountsError:
        raise
    except Exception as error:
        raise StorageError(
            f"{path} cannot be written ({describe_error(error)})",
            advice="What was booked is in the send journal. Make room there, or make it writable, then run again: what "
            "is in the books stays as it is, and the next run that sends for this tenant completes the record.",
        ) from error


@dataclass
class UnfinishedFile:
    """A file under a temporary name.

    :param stream: where its content goes.
    """

    folder: RunFolder
    name: str
    stream: IO[bytes]
    is_finished: bool = False

    def finish(self, name: str) -> str:
        """Close the file and give it its name.

        A file of this name is left as it is: names say what files hold.

        :returns: its path as a user names it.
        """
        folder, path = self.folder, f"{self.folder.folder}/{name}"
        self.stream.close()
        if not folder.fs.exists(path):
            folder.fs.mv(f"{folder.folder}/{self.name}", path)
            self.is_finished = True
        return f"{folder.url}/{name}"


def folder_name(name: str) -> str:
    """Make a folder's name, safe on any storage, from the name of a tenant, a DAG or a run.

    A name of plain characters stays as it is. Of any other the readable part is kept, with a hash behind a character
    that no plain name has: two names never share a folder, and none leaves the folder above.
    """
    if _PLAIN_NAME.fullmatch(name) and len(name) <= _LONGEST_NAME:
        return name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip(".-")[:_LONGEST_READABLE]
    return f"{readable}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def append_line(stream: IO[bytes], line: bytes) -> None:
    """Append a line to a file that is not buffered: the whole line, or an error and nothing of it."""
    start, rest = stream.tell(), line
    try:
        # A disk that fills takes a part of a line and refuses the rest.
        while rest:
            rest = rest[stream.write(rest) :]
    except OSError:
        with suppress(OSError):
            stream.truncate(start)
        raise


def to_line(values: Mapping[str, Any]) -> bytes:
    """Encode a line of NDJSON."""
    try:
        return (json.dumps(values, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # half a character, which JSON can escape
        return (json.dumps(values) + "\n").encode()


def read_refused_numbers(outcomes: Iterable[bytes]) -> dict[str, str]:
    """Read from an outcome file which numbers are not in the books, with the reason.

    :param outcomes: lines of the file.
    :raises ConfigurationError: if it is no outcome file.
    """
    refused = {}
    for position, line in enumerate(outcomes, start=1):
        try:
            row = json.loads(line)
            number, outcome = str(row["number"]), Outcome(row["outcome"])
            # What is empty is left out of the file.
            cause = "; ".join(row.get("reasons", ())) or str(outcome)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            number = None
        if number is None:
            raise ConfigurationError(
                f"customer_outcomes: line {position} of the file is none of an outcome file",
                advice="Give the outcome_path of the task that created the customers; if the file is damaged, clear "
                "that task.",
            )
        if outcome not in GOOD:
            refused[number] = cause
    return refused


def hash_record(record: Mapping[str, Any]) -> bytes:
    """Encode a record of the input in the form over which inputs are hashed."""
    return dump_record(record, sort_keys=True).encode() + b"\n"


def dump_record(record: Any, *, sort_keys: bool = False) -> str:
    """Write a record of the input as JSON in ASCII, whatever it holds: also one that no schema accepts has its place in
    the files of the run. What JSON does not know is written as its text, what has no text as the name of its type.
    """
    try:
        return json.dumps(record, default=str, sort_keys=sort_keys)
    except Exception:  # noqa: BLE001 - a user's object may raise anything, and hold itself
        return json.dumps(_Simplifier().simplify(record), sort_keys=sort_keys)


class _Simplifier:
    """Reduces any object to what JSON knows, up to a number of values, and of levels."""

    def __init__(self) -> None:
        self._left = 10_000

    def simplify(self, value: Any, levels: int = 20) -> Any:
        self._left -= 1
        if levels and self._left > 0:
            if isinstance(value, Mapping):
                with suppress(Exception):
                    return {self._to_text(key): self.simplify(inner, levels - 1) for key, inner in value.items()}
            elif isinstance(value, list | tuple):
                return [self.simplify(inner, levels - 1) for inner in value[: max(self._left, 0)]]
            elif value is None or isinstance(value, bool | float):
                return value
        return self._to_text(value)

    @staticmethod
    def _to_text(value: Any) -> str:
        if not isinstance(value, Mapping | list | tuple):
            with suppress(Exception):
                return str(value)
        return f"<{type(value).__name__[:64]}>"


def hash_records(records: Iterable[Mapping[str, Any]]) -> str:
    """Hash the records of an input, in their order, with SHA-256."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(hash_record(record))
    return digest.hexdigest()
