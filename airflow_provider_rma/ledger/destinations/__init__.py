"""Where ledger windows go: one interface for every kind of warehouse.

A destination is opened for a run, and each window is staged while it is read and then either takes the place of the old
one, in one step, or leaves it as it was. Whoever reads the warehouse at any moment sees a window as it was before or as
it is after, never a mixture.

>>> with open_destination("duckdb:///warehouse.duckdb") as destination:           # doctest: +SKIP
...     with destination.stage("acme", window) as stage:
...         for batch in batches:
...             stage.write(batch)
...         stage.commit(balances=balances, proofs=proofs, load=load)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from airflow_provider_rma.exceptions import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa
    from fsspec import AbstractFileSystem

    from airflow_provider_rma.ledger.destinations.stage import UnknownFields
    from airflow_provider_rma.ledger.fingerprint import Fingerprint
    from airflow_provider_rma.ledger.windows import Window

__all__ = ["Destination", "Stage", "is_database", "open_destination"]

#: Seconds to wait for a DuckDB file, or for a window in a database, that another process holds.
LOCK_TIMEOUT = 120.0
#: Schema in PostgreSQL, and the beginning of the names of tables in other databases.
SCHEMA, TABLE_PREFIX = "rma", "rma_"


class Stage(Protocol):
    """One window on its way in. Leaving it without a decision leaves the old window and removes what was staged.

    Exactly one of :meth:`commit`, :meth:`confirm` and :meth:`reject` may be called, once. Tables given to them follow
    :mod:`.tables`; every row must belong to the tenant and month of the stage, ``loaded`` of the proofs and of the
    ``load`` row must agree with the method, and the proofs must hold exactly one row with a null ``accno``.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, batch: pa.RecordBatch) -> None:
        """Add postings.

        :param batch: any number of rows, columns of ``tables.POSTINGS``.
        :raises ValueError: other columns, nulls where there must be none, another tenant or month.
        """

    def staged_batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The postings that were written, from the beginning; as often as needed, one reading after the other. Nothing
        may be written after that.

        :param columns: names of ``tables.POSTINGS``, in the order in which the batches shall have them.
        :raises RuntimeError: the stage may be that of a fresh window, which has nothing to be compared with.
        """

    def commit(
        self, *, balances: pa.Table, proofs: pa.Table, load: pa.Table, changes: Iterable[pa.RecordBatch] = ()
    ) -> None:
        """Put the staged postings, the balances and the proofs in the place of those of the window, and add the rows of
        ``loads`` and ``changes``; all at once, also when nothing was staged.

        :param load: one row of ``tables.LOADS``.
        :param changes: rows of ``tables.CHANGES`` with the ``load_id`` of the load.
        :raises DestinationError: it failed; the old window is in place.
        """

    def confirm(self, *, balances: pa.Table, proofs: pa.Table, load: pa.Table) -> None:
        """As :meth:`commit`, for a window whose postings have not changed: those that are loaded stay as they are (with
        their older ``load_id``), whatever was staged is dropped; balances and proofs are replaced.

        :raises DestinationError: it failed, or no such window is loaded.
        """

    def reject(self, *, proofs: pa.Table, load: pa.Table) -> None:
        """Leave postings, balances and proofs of the window as they are, and record the refused attempt beside them. A
        later attempt replaces this record.

        :raises DestinationError: it failed; nothing was recorded.
        """


class Destination(Protocol):
    """A warehouse, opened for one run.

    :ivar kind: ``duckdb``, ``parquet``, ``postgresql``, or the name of another database.
    :ivar location: where it is, without secrets; for logs and results.
    :ivar unknown: fields of postings that were met and are no column; they are in the column ``extra``.
    :ivar spool_folder: where there is room for temporary files; None for the system's folder.
    """

    kind: str
    location: str
    unknown: UnknownFields
    spool_folder: str | os.PathLike[str] | None

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def held(self) -> AbstractContextManager[None]:
        """Keep what is costly to open until the block ends. Others may have to wait meanwhile, so nothing that takes
        long belongs inside, and no request to the service."""

    def rows(self, tenant: str, window: Window) -> int:
        """Postings loaded now for the window, 0 if there are none or it was never loaded."""

    def is_loaded(self, tenant: str, window: Window) -> bool:
        """Whether the window was ever loaded, be it empty."""

    def fingerprints(self, tenant: str, window: Window) -> dict[str, Fingerprint]:
        """Fingerprint of what is loaded now, by account number; computed from the rows themselves."""

    def loaded_batches(self, tenant: str, window: Window, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The postings that are loaded now for the window, in no particular order. The destination may be held until
        the last of them was taken.

        :param columns: names of ``tables.POSTINGS``, in the order in which the batches shall have them.
        """

    def table(self, name: str, tenant: str, window: Window) -> pa.Table:
        """The rows of a window in one of the small tables, as they stand now.

        :param name: ``balances``, ``proofs``, ``loads`` or ``changes``.
        """

    def convention(self, tenant: str) -> dict[str, Any] | None:
        """Sign convention of the tenant's balances as it was stored, None if it never was."""

    def save_convention(self, tenant: str, convention: dict[str, Any]) -> None:
        """Store the sign convention.

        :param convention: what JSON can carry.
        """

    def save_accounts(self, tenant: str, accounts: pa.Table, load_id: str) -> None:
        """Replace the tenant's accounts, all at once.

        :param accounts: columns of ``tables.ACCOUNTS``; its ``load_id`` must be ``load_id``.
        """

    def stage(self, tenant: str, window: Window, *, fresh: bool = False) -> Stage:
        """Begin to replace a window; to be used with ``with``.

        :param fresh: the window was never loaded, so it most likely will be now; nothing that takes long comes between
            the first write and the decision.
        """


def open_destination(
    url: str,
    *,
    fs: AbstractFileSystem | None = None,
    connect: Callable[[], Any] | None = None,
    schema: str = SCHEMA,
    table_prefix: str = TABLE_PREFIX,
    history: bool = False,
    lock_timeout: float = LOCK_TIMEOUT,
) -> Destination:
    """The destination that an address names. Nothing is opened or created before it is entered with ``with``.

    =============================================  ================================================================
    ``duckdb:///folder/ledger.duckdb``             one DuckDB file, relative; ``duckdb:////data/…`` absolute
    ``folder/ledger.duckdb``, ``/data/l.duckdb``   the same: a path that ends in ``.duckdb``
    ``parquet:///folder``, ``parquet:////data``    Parquet files below a local folder, relative or absolute
    ``s3://bucket/folder``, ``gs://…``, ``file:``  Parquet files on any file system that fsspec knows
    any path, with ``fs``                          Parquet files below that path of the file system
    ``postgresql://host/database``                 PostgreSQL, by COPY
    ``sqlite:///file.db``, ``mysql+driver://…``    any other database that SQLAlchemy knows, by DBAPI
    =============================================  ================================================================

    :param url: the address. Only that of a database may hold credentials; they appear in no message or ``location``.
    :param fs: an fsspec file system, for Parquet.
    :param connect: gives a new connection to the database, not committing by itself: of psycopg 3 for PostgreSQL, of
        any DBAPI driver for others. Then ``url`` needs no credentials and only says what and where it is.
    :param schema: schema in PostgreSQL; ``?schema=…`` in the address says the same.
    :param table_prefix: beginning of the names of tables and views in other databases; ``?table_prefix=…`` likewise.
    :param history: keep superseded postings in ``postings_history``.
    :param lock_timeout: seconds to wait for a DuckDB file that another process holds, for another load of the same
        window in PostgreSQL, and for a SQLite file.
    :raises ConfigurationError: the address names no destination, or an extra is not installed.
    """
    scheme, separator, rest = url.partition(":")
    if fs is None and scheme == "duckdb" and separator:
        return _duckdb(_local_path(rest), lock_timeout, history)
    if fs is None and "://" not in url and url.endswith(".duckdb"):
        return _duckdb(url, lock_timeout, history)
    if fs is None and is_database(url):
        from airflow_provider_rma.ledger.destinations.sql.databases import open_database

        return open_database(
            url, connect, schema=schema, table_prefix=table_prefix, history=history, lock_timeout=lock_timeout
        )
    return _parquet(url, fs, history)


def is_database(url: str) -> bool:
    """Whether an address is one of a database that SQLAlchemy would know, and not of a file or file system."""
    from fsspec.registry import known_implementations

    scheme, separator, _ = url.partition("://")
    return bool(separator) and scheme not in ("duckdb", "parquet") and scheme not in known_implementations


def _local_path(rest: str) -> str:
    path = rest.removeprefix("///") if rest.startswith("///") else rest
    if not path or path.startswith("//"):
        raise ConfigurationError(
            "The address of the destination names no local path.",
            advice="Three slashes begin a relative path, four an absolute one: duckdb:////data/ledger.duckdb",
        )
    return path


def _duckdb(path: str, lock_timeout: float, history: bool) -> Destination:
    from airflow_provider_rma.ledger.destinations.sql.duckdb import DuckDbDestination

    return DuckDbDestination(path, lock_timeout=lock_timeout, history=history)


def _parquet(url: str, fs: AbstractFileSystem | None, history: bool) -> Destination:
    import fsspec

    from airflow_provider_rma.ledger.destinations.parquet.destination import ParquetDestination

    if fs is not None:
        return ParquetDestination(fs, url, history=history)
    scheme, separator, rest = url.partition(":")
    if scheme == "parquet" and separator:
        url = f"file://{os.path.abspath(_local_path(rest))}"
    elif "://" not in url:
        raise ConfigurationError(
            "The address of the destination is not understood.",
            advice="Use duckdb:///path/to/file.duckdb, parquet:///path/to/folder, s3://bucket/folder, or "
            "postgresql://host/database.",
        )
    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(
            f"No file system answers to {scheme}://.",
            advice="Use duckdb:///…, parquet:///…, or a scheme that fsspec knows, with its package installed.",
        ) from error
    return ParquetDestination(filesystem, path, history=history)
