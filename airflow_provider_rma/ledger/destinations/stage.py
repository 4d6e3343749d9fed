"""What every stage checks, whatever lies beneath: right columns, right window, one decision."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pyarrow

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_rma.ledger.windows import Window

log = logging.getLogger(__name__)


class UnknownFields:
    """The fields of postings that this version does not know: each is reported once per run, when it first appears.

    The first postings of each batch that have any are looked into; when the service adds a field, all of them do.
    """

    #: Postings of a batch that are looked into.
    SAMPLE = 100

    def __init__(self) -> None:
        self.names: set[str] = set()

    def add(self, batch: pa.RecordBatch) -> None:
        """Look into some postings."""
        extra = batch.column("extra")
        if extra.null_count == len(extra):
            return
        sample = extra.drop_null().slice(0, self.SAMPLE).unique().to_pylist()
        new = {name for text in sample for name in _fields(json.loads(text))} - self.names
        if new:
            self.names |= new
            log.warning(
                "Postings have fields that this version does not know; they are kept in the column extra: %s.",
                ", ".join(sorted(new)),
            )


def _fields(extra: Any, prefix: str = "") -> Iterator[str]:
    """Names of the fields, those of nested objects with the names of what they are in."""
    if not isinstance(extra, dict):
        return
    for name, value in extra.items():
        if isinstance(value, dict) and value:
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


class CheckedStage(ABC):
    """The interface ``Stage`` over five things that a destination does: ``_write``, ``_staged``, ``_replace``,
    ``_record``, ``_discard``.

    :ivar staged: postings written so far.
    """

    def __init__(self, tenant: str, window: Window, unknown: UnknownFields) -> None:
        self.tenant = tenant
        self.window = window
        self._unknown = unknown
        self.staged = 0
        self._complete = False
        self._decided = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decided = True
        self._discard()

    def write(self, batch: pa.RecordBatch) -> None:
        """See :meth:`.Stage.write`."""
        if self._decided:
            raise RuntimeError("The stage has been decided already.")
        if self._complete:
            raise RuntimeError("What was staged has been read already.")
        conformed = self._conform(batch, "postings")
        if conformed.num_rows:
            self._unknown.add(conformed)
            self._write(conformed)
            self.staged += conformed.num_rows

    def staged_batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See :meth:`.Stage.staged_batches`."""
        self._complete = True
        return self._staged(columns)

    def commit(
        self, *, balances: pa.Table, proofs: pa.Table, load: pa.Table, changes: Iterable[pa.RecordBatch] = ()
    ) -> None:
        """See :meth:`.Stage.commit`."""
        proofs, load = self._decide(proofs, load, loaded=True)
        rows = load.column("rows")[0].as_py()
        if rows != self.staged:
            raise ValueError(f"The load claims {rows} postings, {self.staged} were staged.")
        conformed = self._conform_changes(changes, load) if changes else ()
        self._replace(self._conform(balances, "balances"), proofs, load, conformed, keep_postings=False)

    def confirm(self, *, balances: pa.Table, proofs: pa.Table, load: pa.Table) -> None:
        """See :meth:`.Stage.confirm`."""
        proofs, load = self._decide(proofs, load, loaded=True)
        self._replace(self._conform(balances, "balances"), proofs, load, (), keep_postings=True)

    def reject(self, *, proofs: pa.Table, load: pa.Table) -> None:
        """See :meth:`.Stage.reject`."""
        proofs, load = self._decide(proofs, load, loaded=False)
        self._record(proofs, load)

    @abstractmethod
    def _write(self, batch: pa.RecordBatch) -> None: ...

    @abstractmethod
    def _staged(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]: ...

    @abstractmethod
    def _replace(
        self,
        balances: pa.Table,
        proofs: pa.Table,
        load: pa.Table,
        changes: Iterable[pa.RecordBatch],
        *,
        keep_postings: bool,
    ) -> None: ...

    @abstractmethod
    def _record(self, proofs: pa.Table, load: pa.Table) -> None: ...

    @abstractmethod
    def _discard(self) -> None: ...

    def _decide(self, proofs: Any, load: Any, *, loaded: bool) -> tuple[Any, Any]:
        if self._decided:
            raise RuntimeError("The stage has been decided already.")
        self._decided = True
        proofs, load = self._conform(proofs, "proofs"), self._conform(load, "loads")
        if proofs.column("accno").null_count != 1:
            raise ValueError("The proofs must hold one row for the window as a whole, with a null accno.")
        if load.num_rows != 1:
            raise ValueError("There must be one row of loads.")
        for name, table in (("proofs", proofs), ("loads", load)):
            if set(table.column("loaded").to_pylist()) != {loaded}:
                raise ValueError(f"The column loaded of the {name} must be {loaded} here.")
        return proofs, load

    def _conform_changes(self, changes: Iterable[Any], load: Any) -> Iterator[Any]:
        load_id = load.column("load_id")[0].as_py()
        for batch in changes:
            check_constant(batch, "load_id", load_id)
            yield self._conform(batch, "changes")

    def _conform(self, data: Any, table: str) -> Any:
        conformed = conform(data, table)
        check_constant(conformed, "tenant", self.tenant)
        check_constant(conformed, "month", self.window.start)
        return conformed


def conform(data: Any, table: str) -> Any:
    """Data with exactly the columns of the contract, for what is given with them in the same order and types.

    :param data: an Arrow table or batch.
    :raises ValueError: other columns or types, or a null where there must be none.
    """
    pa = pyarrow()
    schema = contract.schema(table)
    found = [(field.name, field.type) for field in data.schema]
    if found != [(field.name, field.type) for field in schema]:
        wanted = dict(zip(schema.names, schema.types, strict=True))
        wrong = [f"{name} {kind}" for name, kind in found if wanted.get(name) != kind]
        missing = [name for name in schema.names if name not in data.schema.names]
        raise ValueError(f"Not the columns of {table}: unexpected {wrong}, missing {missing}, or another order.")
    for field in schema:
        if not field.nullable and data.column(field.name).null_count:
            raise ValueError(f"{table}.{field.name} must not be null.")
    kind = pa.RecordBatch if isinstance(data, pa.RecordBatch) else pa.Table
    return kind.from_arrays(data.columns, schema=schema)


def check_constant(data: Any, column: str, value: Any) -> None:
    """Refuse data of another tenant, month or load: it could never be replaced again as a whole.

    :raises ValueError: a row has another value.
    """
    pc = pyarrow("pyarrow.compute")
    if data.num_rows and not pc.all(pc.equal(data.column(column), value)).as_py():
        raise ValueError(f"A row belongs to another {column} than {value}.")


def changed_meanwhile(rows: int, loaded: int) -> DestinationError:
    """The window is not the one that the caller compared with."""
    return DestinationError(
        f"The window was to be confirmed with {rows} postings, but {loaded} are loaded: another run replaced it.",
        advice="Run again; let one run at a time load a tenant.",
        retryable=True,
    )
