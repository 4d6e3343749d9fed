"""Which vouchers of a window are not what they were: added, removed, amended, or only saved again.

Two readings of a window are compared by a few numbers for each voucher, not by rows. What a voucher says is what
:mod:`.fingerprint` hashes; its line numbers (``entry_id``), which change whenever it is saved again, are a number of
their own.

Each reading passes once. The numbers wait in temporary files, each with the same share of the vouchers of both
readings, and one file after the other is looked at: memory does not grow with the window.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pyarrow
from airflow_provider_rma.ledger.batch_buffer import IN_MEMORY, BatchBuffer
from airflow_provider_rma.ledger.fingerprint import BUSINESS_COLUMNS, GOLDEN, row_hashes

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns of postings from which vouchers are told apart.
COLUMNS = (*BUSINESS_COLUMNS, "entry_id", "debit")

#: Kinds of change, in the order in which they are reported.
KINDS = ("added", "removed", "amended", "reposted")

#: Vouchers of each kind that are named.
FIRST = 10

#: Lines of both readings whose vouchers are compared at once; a voucher has two or more.
PART_LINES = 250_000

_KEY = ["module", "voucher_id"]


@dataclass(frozen=True)
class Changes:
    """What became of the vouchers of a window since it was loaded before.

    :param counts: vouchers by kind of change, all kinds.
    :param first: the first of each kind, as ``ar 4711 (R-1)``.
    """

    counts: Mapping[str, int]
    first: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        told = [
            f"{count} {kind} ({', '.join(self.first[kind])}{', …' if count > len(self.first[kind]) else ''})"
            for kind, count in self.counts.items()
            if count
        ]
        return ", ".join(told) or "no voucher"


@dataclass(frozen=True)
class Compared:
    """Two readings of a window, compared.

    :param changes: how many vouchers, and the first of them.
    :param rows: a row of the table ``changes`` for each, in a temporary file.
    """

    changes: Changes
    rows: BatchBuffer


@contextmanager
def compare(
    old: Iterable[pa.RecordBatch],
    new: Iterable[pa.RecordBatch],
    *,
    load: Mapping[str, Any],
    lines: int,
    folder: str | os.PathLike[str] | None = None,
) -> Iterator[Compared]:
    """What happened between two readings of a window. When the block ends, the rows are gone.

    Added and removed say where a voucher is now, not what was done: one that was dated into another month is removed
    here and added there. Reposted is a voucher that was saved again and says the same.

    :param old: postings of the earlier reading; at least :data:`COLUMNS`, typed as in ``contract.POSTINGS``.
    :param new: those of the later one, likewise.
    :param load: ``load_id``, ``tenant`` and ``month`` for the rows.
    :param lines: how many postings there are in both together, roughly; it decides on the number of temporary files.
    :param folder: where these may be; None for the system's folder.
    """
    with closing(BatchBuffer(contract.schema("changes"), folder)) as rows:
        found = _Found(load, rows)
        with ExitStack() as stack:
            count = 1 + lines // PART_LINES
            spools = [BatchBuffer(_schema(), folder, in_memory=IN_MEMORY // count) for _ in range(count)]
            parts = [stack.enter_context(closing(spool)) for spool in spools]
            for batches, side in ((old, "before"), (new, "after")):
                for batch in batches:
                    _distribute(_summed(batch, side), parts)
            # The allocator keeps what the readings needed until it is told that nobody does.
            pyarrow().default_memory_pool().release_unused()
            for part in parts:
                found.add(_grouped(pyarrow().Table.from_batches(part.batches(), part.schema)))
        pyarrow().default_memory_pool().release_unused()
        yield Compared(found.changes(), rows)


def _schema() -> Any:
    """One row is what some lines of a voucher add up to, in one reading: ``content`` and ``entries`` count as negative
    in the earlier one, so that what is the same in both adds up to 0."""
    pa = pyarrow()
    kinds: dict[str, Any] = {"module": pa.string(), "voucher_id": pa.int64()}
    for side in ("before", "after"):
        kinds |= {f"reference_{side}": pa.string(), f"lines_{side}": pa.int64(), f"debit_{side}": _money()}
    return pa.schema(kinds | {"content": pa.uint64(), "entries": pa.uint64()})


def _money() -> Any:
    return contract.schema("changes").field("debit_after").type


def _summed(batch: Any, side: str) -> Any:
    """A row of :func:`_schema` for each voucher of a batch."""
    pa, pc = pyarrow(), pyarrow("pyarrow.compute")
    entries = pc.fill_null(batch.column("entry_id"), 0).cast(pa.int64()).view(pa.uint64())
    numbers = {
        "content": row_hashes(batch),
        # Free of order, and other numbers of the same sum give another value.
        "entries": pc.add(pc.multiply(entries, entries), entries),
    }
    if side == "before":
        zero = pa.scalar(0, pa.uint64())
        numbers = {name: pc.subtract(zero, values) for name, values in numbers.items()}
    values = {
        # Null is the same as nothing, as in the fingerprint.
        "module": pc.fill_null(batch.column("module"), ""),
        "voucher_id": pc.fill_null(batch.column("voucher_id"), 0),
        f"reference_{side}": batch.column("reference"),
        f"lines_{side}": pa.repeat(pa.scalar(1, pa.int64()), batch.num_rows),
        f"debit_{side}": batch.column("debit"),
        **numbers,
    }
    return _grouped(
        pa.table([values.get(one.name, pa.nulls(batch.num_rows, one.type)) for one in _schema()], _schema())
    )


def _grouped(rows: Any) -> Any:
    """One row for each voucher; what only the other reading has stays null."""
    how = {name: "max" if name.startswith("reference") else "sum" for name in rows.schema.names if name not in _KEY}
    grouped = rows.group_by(_KEY, use_threads=False).aggregate(list(how.items()))
    return pyarrow().table(
        [
            grouped.column(f"{one.name}_{how[one.name]}" if one.name in how else one.name).cast(one.type)
            for one in rows.schema
        ],
        rows.schema,
    )


def _distribute(rows: Any, parts: Sequence[BatchBuffer]) -> None:
    """All rows of a voucher into the same part."""
    pa, pc = pyarrow(), pyarrow("pyarrow.compute")
    half, word = pa.scalar(32, pa.uint64()), pa.uint64()
    # Spread over 32 bits first: numbers of vouchers may all be even.
    ids = rows.column("voucher_id").combine_chunks().view(word)
    spread = pc.shift_right(pc.multiply(ids, pa.scalar(GOLDEN, word)), half)
    places = pc.shift_right(pc.multiply(spread, pa.scalar(len(parts), word)), half)
    for place, part in enumerate(parts):
        mine = rows.filter(pc.equal(places, place)) if len(parts) > 1 else rows
        for batch in mine.to_batches():
            part.write(batch)


class _Found:
    """Counts the changes of all parts, keeps the first of each kind, and writes a row for each."""

    def __init__(self, load: Mapping[str, Any], rows: BatchBuffer) -> None:
        self._load, self._rows = load, rows
        self._counts = dict.fromkeys(KINDS, 0)
        self._first = dict.fromkeys(KINDS, rows.schema.empty_table())

    def add(self, vouchers: Any) -> None:
        """Take in the vouchers of a part."""
        for kind, mask in _masks(vouchers).items():
            rows = self._listed(vouchers.filter(mask), kind)
            self._counts[kind] += rows.num_rows
            both = pyarrow().concat_tables([self._first[kind], rows])
            self._first[kind] = both.sort_by([(name, "ascending") for name in _KEY]).slice(0, FIRST).combine_chunks()
            for batch in rows.to_batches():
                self._rows.write(batch)

    def changes(self) -> Changes:
        """What was found in all of them."""
        return Changes(
            self._counts, {kind: [_name(row) for row in first.to_pylist()] for kind, first in self._first.items()}
        )

    def _listed(self, vouchers: Any, kind: str) -> Any:
        """Vouchers as rows of the table ``changes``."""
        pa, pc = pyarrow(), pyarrow("pyarrow.compute")
        same = {**self._load, "change": kind}
        columns = []
        for one in self._rows.schema:
            if one.name in same:
                columns.append(pa.repeat(pa.scalar(same[one.name], one.type), vouchers.num_rows))
            elif one.name == "reference":
                columns.append(pc.coalesce(vouchers.column("reference_after"), vouchers.column("reference_before")))
            elif one.name in _KEY:
                known = vouchers.column(one.name)
                nothing = pa.scalar("" if one.name == "module" else 0, one.type)
                columns.append(pc.if_else(pc.equal(known, nothing), pa.scalar(None, one.type), known))
            else:
                columns.append(pc.fill_null(vouchers.column(one.name), 0).cast(one.type))
        return pa.table(columns, self._rows.schema)


def _masks(vouchers: Any) -> dict[str, Any]:
    """Which vouchers have changed in which way."""
    pa, pc = pyarrow(), pyarrow("pyarrow.compute")
    # Typed: compared with a plain 0, a large hash would not fit.
    zero = pa.scalar(0, pa.uint64())
    before, after = vouchers.column("lines_before"), vouchers.column("lines_after")
    stays = pc.and_(pc.is_valid(before), pc.is_valid(after))
    same = pc.and_(pc.equal(before, after), pc.equal(vouchers.column("content"), zero))
    return {
        "added": pc.is_null(before),
        "removed": pc.is_null(after),
        "amended": pc.and_(stays, pc.invert(same)),
        "reposted": pc.and_(same, pc.not_equal(vouchers.column("entries"), zero)),
    }


def _name(row: Mapping[str, Any]) -> str:
    name = f"{row['module'] or ''} {row['voucher_id'] or 0}"
    short = " ".join((row["reference"] or "").split())[:40]
    return f"{name} ({short})" if short else name
