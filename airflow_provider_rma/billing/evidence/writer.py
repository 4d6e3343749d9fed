"""Writing of evidence: each run leaves one file that says what it did, linked to the one before.

Evidence holds numbers, totals, hashes and versions; no names of customers, no texts, no words of the service. The name
of who approved stands in it as it was given. Place and predecessor of a link are allocated through the journal's
database, so runs at the same time never fork a tenant's chain; verifying needs the files only.
"""

from __future__ import annotations

import hashlib
import json
import platform
import posixpath
import shutil
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from airflow_provider_rma.billing.evidence.chain import (
    DOCUMENTS,
    SCHEMA,
    file_name,
    find_last_file,
    list_pending_files,
    make_pending_path,
    read_hash,
)
from airflow_provider_rma.billing.evidence.model import EvidenceRef, RunFacts
from airflow_provider_rma.billing.journal.canonical import normalize_origin
from airflow_provider_rma.billing.journal.engine import db_now, journal_errors, write_transaction
from airflow_provider_rma.billing.journal.migrations import migrate
from airflow_provider_rma.billing.journal.tables import EVIDENCE
from airflow_provider_rma.billing.outcomes import SENT
from airflow_provider_rma.billing.storage import OWNER_ONLY, create_file, describe_error, try_folder
from airflow_provider_rma.exceptions import EvidenceError
from airflow_provider_rma.fault_points import reach

#: Each lost attempt means that another run has added its link, so this many are never lost in earnest.
_TRIES = 1_000
_IN_MEMORY = 1 << 20
_SUMS = ("net", "gross")

#: Called in the transaction that adds a link, with its position and the numbers of the documents that it states as
#: booked by its run; an exception adds no link.
OnLinked = Callable[[sa.engine.Connection, int, Sequence[str]], None]


class EvidenceWriter:
    """Writes the evidence of one tenant's runs. May be used by several threads.

    :param engine: the journal's database; its tables are created or brought up to date.
    :param fs: an fsspec file system.
    :param folder: the tenant's folder of evidence on it.
    :param service: address of the service, without the tenant.
    :param tenant: the tenant.
    :param mode: of the files, on a local file system.
    :raises JournalError: if the database cannot be used.
    """

    def __init__(
        self, engine: sa.Engine, fs: Any, folder: str, service: str, tenant: str, *, mode: int = OWNER_ONLY
    ) -> None:
        self._engine = engine
        self._fs = fs
        self._folder = folder.rstrip("/")
        self._service = normalize_origin(service)
        self._tenant = tenant
        self._mode = mode
        migrate(engine)

    def try_writing(self) -> None:
        """Find out whether evidence can be written.

        :raises StorageError: if it cannot.
        """
        try_folder(self._fs, self._folder, f"the folder of evidence, {self._folder},", self._mode)
        self._finish_pending()

    def write(
        self, facts: RunFacts, documents: Iterable[Mapping[str, Any]], on_linked: OnLinked | None = None
    ) -> EvidenceRef:
        """Write the evidence of a run.

        :param documents: rows of the outcome file
            (:meth:`~airflow_provider_rma.billing.outcomes.DocumentResult.as_dict`), read once and never held. Of each
            only position, number, outcome, document id, totals and currency are kept.
        :param on_linked: see :data:`OnLinked`.
        :raises EvidenceError: if the file could not be written: then no link was added.
        :raises JournalError: if the database could not be used: then no link was added.
        """
        sent: list[str] | None = None if on_linked is None else []
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spooled:
            counts, totals = _write_documents(documents, spooled, sent)
            rest = _fact_members(facts) | {"counts": counts, "totals": totals}

            def mark(connection: sa.engine.Connection, seq: int) -> None:
                if on_linked is not None:
                    on_linked(connection, seq, sent or ())

            ref, pending = self._link(rest, spooled, mark)
        reach("evidence.linked")
        self._publish(ref, pending)
        return ref

    def _link(
        self,
        rest: Mapping[str, Any],
        documents: IO[bytes],
        mark: Callable[[sa.engine.Connection, int], None],
    ) -> tuple[EvidenceRef, str]:
        """Write the file under a name of its own, and take the next position of the chain for it.

        :returns: the link, and the path of the file.
        """
        # The folder is read before the database: rows come before files, so a file without a row is from another time.
        seq_on_file, name_on_file = self._find_last()
        for _ in range(_TRIES):
            last = self._read_last()
            if seq_on_file > (last.seq if last else 0):
                # The journal was lost or is a copy from before.
                with self._reading():
                    previous = read_hash(self._fs, self._folder, name_on_file)
                last = EvidenceRef(f"{self._folder}/{name_on_file}", seq_on_file, previous)
            seq = last.seq + 1 if last else 1
            head = _head(
                {
                    "evidence": SCHEMA,
                    "service": self._service,
                    "tenant": self._tenant,
                    "sequence": seq,
                    "previous": last.hash if last else None,
                }
                | dict(rest)
            )
            digest = _digest(head, documents)
            name = file_name(self._service, self._tenant, seq, digest)
            ref = EvidenceRef(f"{self._folder}/{name}", seq, digest)
            pending = self._write_pending(ref, head, documents)
            reach("evidence.written")
            # After any error and any interruption it may be committed all the same: a later run finishes or removes the
            # file. Only a link that was certainly not added leaves none.
            if self._insert(ref, pending, mark):
                return ref, pending
            self._remove(pending)
        raise EvidenceError("the chain of evidence changes without end", advice="Let other runs of the tenant end.")

    def _write_pending(self, ref: EvidenceRef, head: bytes, documents: IO[bytes]) -> str:
        path = make_pending_path(ref.path)
        documents.seek(0)
        try:
            with create_file(self._fs, path, self._mode) as stream:
                stream.write(head)
                shutil.copyfileobj(documents, stream, _IN_MEMORY)
                stream.write(f'],"hash":"{ref.hash}"}}\n'.encode())
        except Exception as error:
            self._remove(path)
            raise EvidenceError(
                f"the evidence of this run could not be written ({describe_error(error)}): {self._folder}",
                advice="What was booked stays booked and is in the send journal. Make the folder writable, or make "
                "room in it; the next run that sends for this tenant writes what is missing.",
                path_of_file=ref.path,
            ) from error
        return path

    def _publish(self, ref: EvidenceRef, pending: str) -> None:
        """Give a file whose link is recorded its name."""
        try:
            _move(self._fs, pending, ref.path)
        except Exception as error:
            raise EvidenceError(
                f"the evidence of this run could not be given its name ({describe_error(error)}): link {ref.seq}, "
                f"{ref.path}",
                advice="What was booked stays booked. The next run of the tenant tries again; until then "
                "'rma evidence verify' names this link as missing.",
                path_of_file=ref.path,
            ) from error

    def _finish_pending(self) -> None:
        """Give files their name whose run was killed after it had recorded their link; remove those that lost it."""
        with self._reading():
            files = list_pending_files(self._fs, self._folder, self._service, self._tenant)
        links = list_recorded_links(self._engine, self._service, self._tenant) if files else []
        names = {posixpath.basename(ref.path): ref for ref in links}
        positions = {ref.seq for ref in links}
        for seq, name, path in files:
            if name in names:
                self._publish(names[name], path)
            elif seq in positions:
                self._remove(path)

    def _remove(self, path: str) -> None:
        with suppress(Exception):
            self._fs.rm_file(path)

    def _find_last(self) -> tuple[int, str]:
        with self._reading():
            return find_last_file(self._fs, self._folder, self._service, self._tenant)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise EvidenceError(
                f"the folder of evidence cannot be read ({describe_error(error)}): {self._folder}",
                advice="What was booked stays booked and is in the send journal; the next run that sends for this "
                "tenant writes what is missing.",
            ) from error

    def _read_last(self) -> EvidenceRef | None:
        query = sa.select(EVIDENCE).where(*_of_chain(self._service, self._tenant))
        with journal_errors(), self._engine.connect() as connection:
            row = connection.execute(query.order_by(EVIDENCE.c.seq.desc()).limit(1)).first()
        return None if row is None else _ref(row)

    def _insert(self, ref: EvidenceRef, pending: str, mark: Callable[[sa.engine.Connection, int], None]) -> bool:
        """Record a link; False if its position is taken.

        :param pending: path of its file, which is removed if ``mark`` fails: then nothing is committed.
        """
        values = {"service": self._service, "tenant": self._tenant, "seq": ref.seq, "hash": ref.hash, "path": ref.path}
        try:
            with journal_errors(), write_transaction(self._engine) as connection:
                connection.execute(sa.insert(EVIDENCE).values(**values, at=db_now(self._engine)))
                try:
                    mark(connection, ref.seq)
                except Exception:
                    self._remove(pending)
                    raise
        except IntegrityError:
            return False
        return True


def list_recorded_links(engine: sa.Engine, service: str, tenant: str) -> list[EvidenceRef]:
    """List the links that were allocated for a tenant, for :func:`verify_chain`.

    :raises JournalError: if the database cannot be used.
    """
    migrate(engine)
    service = normalize_origin(service)
    query = sa.select(EVIDENCE).where(EVIDENCE.c.tenant == tenant).order_by(EVIDENCE.c.service, EVIDENCE.c.seq)
    with journal_errors(), engine.connect() as connection:
        # Links of chains that were begun under another spelling of the service belong to the tenant as well.
        return [_ref(row) for row in connection.execute(query) if normalize_origin(row.service) == service]


def _move(fs: Any, source: str, target: str) -> None:
    try:
        fs.mv(source, target)
    except Exception:
        # Storage that forbids removal has copied it all the same, and another run may have moved it.
        if not fs.exists(target):
            raise


def _of_chain(service: str, tenant: str) -> tuple[sa.ColumnElement[bool], ...]:
    return EVIDENCE.c.service == service, EVIDENCE.c.tenant == tenant


def _ref(row: Any) -> EvidenceRef:
    return EvidenceRef(row.path, int(row.seq), row.hash)


def _fact_members(facts: RunFacts) -> dict[str, Any]:
    return {
        "run": _clean(facts.run),
        "kind": _clean(facts.kind),
        "started": _to_utc(facts.started),
        "finished": _to_utc(facts.finished),
        "plan_hash": _clean(facts.plan_hash) or None,
        "input_hash": _clean(facts.input_hash) or None,
        "approver": _clean(facts.approver) or None,
        "recorded_by": _clean(facts.recorded_by) or None,
        "stopped": _clean(facts.stopped, 1_000) or None,
        "alarms": [_clean(alarm, 1_000) for alarm in facts.alarms],
        "brakes": {
            _clean(name): value if isinstance(value, int) or value is None else _clean(str(value))
            for name, value in facts.brakes.items()
        },
        "versions": {_clean(name): _clean(text) for name, text in (_own_versions() | dict(facts.versions)).items()},
    }


@cache
def _own_versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in ("airflow-provider-rma", "marshmallow", "requests"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed as a package"
    return versions


def _write_documents(
    documents: Iterable[Mapping[str, Any]], spooled: IO[bytes], sent: list[str] | None
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Write the documents, separated by commas.

    :param sent: receives the numbers of documents that the run has booked; None keeps none.
    :returns: counts by outcome, and totals by outcome and currency.
    """
    counts: Counter[str] = Counter()
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for row in documents:
        document = _document_members(row)
        spooled.write((b"," if counts else b"") + _to_json(document))
        counts[document["outcome"]] += 1
        if sent is not None and document["outcome"] in SENT:
            sent.append(str(row.get("number") or ""))
        if "currency" in document:
            group = document["outcome"], document["currency"]
            total = sums.setdefault(group, {"documents": 0, "net": Decimal("0.00"), "gross": Decimal("0.00")})
            total["documents"] += 1
            for name in _SUMS:
                total[name] += Decimal(document.get(name, 0))
    totals = [
        {"outcome": outcome, "currency": currency} | total | {name: f"{total[name]:f}" for name in _SUMS}
        for (outcome, currency), total in sorted(sums.items())
    ]
    return {name: counts[name] for name in sorted(counts)}, totals


def _document_members(row: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "position": int(row["position"]),
        "number": _clean(str(row.get("number") or ""), 64),
        "outcome": _clean(str(row["outcome"]), 32),
    }
    if row.get("document_id") is not None:
        document["document_id"] = _clean(str(row["document_id"]), 32)
    for name in _SUMS:
        if row.get(name) is not None:
            document[name] = f"{Decimal(str(row[name])):f}"
    if any(name in document for name in _SUMS):
        document["currency"] = _clean(str(row.get("currency") or "CHF"), 3)
    return document


def _head(values: Mapping[str, Any]) -> bytes:
    """The text before the documents."""
    return _to_json(values)[:-1] + DOCUMENTS


def _digest(head: bytes, documents: IO[bytes]) -> str:
    digest = hashlib.sha256(head)
    documents.seek(0)
    while chunk := documents.read(_IN_MEMORY):
        digest.update(chunk)
    digest.update(b"]}")
    return digest.hexdigest()


def _to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _clean(text: str, limit: int = 255) -> str:
    """Text without what JSON writers escape differently: control characters and halves of surrogate pairs."""
    return "".join("\ufffd" if unicodedata.category(char) in ("Cc", "Cs") else char for char in text[:limit])


def _to_utc(time: datetime) -> str:
    if time.tzinfo is None:
        raise ValueError("started and finished need a time zone")
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
