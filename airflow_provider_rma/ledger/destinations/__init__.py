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

from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from airflow_provider_rma.exceptions import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa
    from fsspec import AbstractFileSystem

    from airflow_provider_rma.ledger.fingerprint import Fingerprint
    from airflow_provider_rma.ledger.windows import Window

__all__ = ["Destination", "Stage", "open_destination"]

#: Seconds to wait for a DuckDB file that another process holds.
LOCK_TIMEOUT = 120.0


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

    def commit(self, *, balances: pa.Table, proofs: pa.Table, load: pa.Table) -> None:
        """Put the staged postings, the balances and the proofs in the place of those of the window, and add the row of
        ``loads``; all at once, also when nothing was staged.

        :param load: one row of ``tables.LOADS``.
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

    :ivar kind: ``duckdb`` or ``parquet``.
    :ivar location: where it is, without secrets; for logs and results.
    """

    kind: str
    location: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def rows(self, tenant: str, window: Window) -> int:
        """Postings loaded now for the window, 0 if there are none or it was never loaded."""

    def is_loaded(self, tenant: str, window: Window) -> bool:
        """Whether the window was ever loaded, be it empty."""

    def fingerprints(self, tenant: str, window: Window) -> dict[str, Fingerprint]:
        """Fingerprint of what is loaded now, by account number; computed from the rows themselves."""

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

    def stage(self, tenant: str, window: Window) -> Stage:
        """Begin to replace a window; to be used with ``with``."""


def open_destination(
    url: str, *, fs: AbstractFileSystem | None = None, lock_timeout: float = LOCK_TIMEOUT
) -> Destination:
    """The destination that an address names. Nothing is opened or created before it is entered with ``with``.

    =============================================  ================================================================
    ``duckdb:///folder/ledger.duckdb``             one DuckDB file, relative; ``duckdb:////data/…`` absolute
    ``folder/ledger.duckdb``, ``/data/l.duckdb``   the same: a path that ends in ``.duckdb``
    ``parquet:///folder``, ``parquet:////data``    Parquet files below a local folder, relative or absolute
    ``s3://bucket/folder``, ``gs://…``, ``file:``  Parquet files on any file system that fsspec knows
    any path, with ``fs``                          Parquet files below that path of the file system
    =============================================  ================================================================

    :param url: the address; holds no credentials, those belong to ``fs`` or to the environment.
    :param fs: an fsspec file system, for Parquet.
    :param lock_timeout: seconds to wait for a DuckDB file that another process holds.
    :raises ConfigurationError: the address names no destination, or an extra is not installed.
    """
    if fs is not None:
        from airflow_provider_rma.ledger.destinations.parquet import ParquetDestination

        return ParquetDestination(fs, url)
    scheme, separator, rest = url.partition(":")
    if scheme == "duckdb" and separator:
        return _duckdb(_local_path(rest), lock_timeout)
    if "://" not in url and url.endswith(".duckdb"):
        return _duckdb(url, lock_timeout)
    if scheme == "parquet" and separator:
        return _parquet(_local_path(rest), "file")
    if "://" in url:
        return _parquet(url, scheme)
    raise ConfigurationError(
        "The address of the destination is not understood.",
        advice="Use duckdb:///path/to/file.duckdb, parquet:///path/to/folder, or an address such as s3://bucket/folder.",
    )


def _local_path(rest: str) -> str:
    path = rest.removeprefix("///") if rest.startswith("///") else rest
    if not path or path.startswith("//"):
        raise ConfigurationError(
            "The address of the destination names no local path.",
            advice="Three slashes begin a relative path, four an absolute one: duckdb:////data/ledger.duckdb",
        )
    return path


def _duckdb(path: str, lock_timeout: float) -> Destination:
    from airflow_provider_rma.ledger.destinations.duckdb import DuckDbDestination

    return DuckDbDestination(path, lock_timeout=lock_timeout)


def _parquet(url: str, scheme: str) -> Destination:
    import fsspec

    from airflow_provider_rma.ledger.destinations.parquet import ParquetDestination

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(
            f"No file system answers to {scheme}://.",
            advice="Use duckdb:///…, parquet:///…, or a scheme that fsspec knows, with its package installed.",
        ) from error
    return ParquetDestination(filesystem, path)
