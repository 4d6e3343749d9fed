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
from typing import Any

from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.ledger import arrow_schemas, contract
from airflow_provider_rma.ledger._pyarrow import pa, pc
from airflow_provider_rma.ledger.batch_buffer import IN_MEMORY, BatchBuffer
from airflow_provider_rma.ledger.fingerprint import BUSINESS_COLUMNS, GOLDEN, row_hashes
from airflow_provider_rma.ledger.windows import MonthLoad

#: Columns of postings from which vouchers are told apart.
COLUMNS = (*BUSINESS_COLUMNS, "entry_id", "debit")

#: Vouchers of each kind that are named.
FIRST = 10

#: Lines of both readings whose vouchers are compared at once; a voucher has two or more.
SHARE_LINES = 250_000

_KEY = ["module", "voucher_id"]


@dataclass(frozen=True)
class Changes:
    """Changes of the vouchers of a window since it was loaded before.

    :param counts: vouchers by kind of change, all kinds.
    :param first: the first of each kind, as ``ar 4711 (R-1)``.
    """

    counts: Mapping[str, int]
    first: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        kinds = [
            f"{count} {kind} ({', '.join(self.first[kind])}{', …' if count > len(self.first[kind]) else ''})"
            for kind, count in self.counts.items()
            if count
        ]
        return ", ".join(kinds) or "no voucher"


@dataclass(frozen=True)
class ChangeReport:
    """Result of comparing two readings of a window.

    :param changes: how many vouchers, and the first of them.
    :param rows: a row of the table ``changes`` for each, in a temporary file.
    """

    changes: Changes
    rows: BatchBuffer


@contextmanager
def compare_readings(
    old: Iterable[pa.RecordBatch],
    new: Iterable[pa.RecordBatch],
    *,
    load: MonthLoad,
    lines: int,
    folder: str | os.PathLike[str] | None = None,
) -> Iterator[ChangeReport]:
    """Find the vouchers that changed between two readings of a window. When the block ends, the rows are gone.

    Added and removed say where a voucher is now, not what was done: one that was dated into another month is removed
    here and added there. Reposted is a voucher that was saved again and says the same.

    :param old: postings of the earlier reading; at least :data:`COLUMNS`, typed as in the table ``postings``.
    :param new: those of the later one, likewise.
    :param load: the load that found them.
    :param lines: how many postings there are in both together, roughly; it decides on the number of temporary files.
    :param folder: where these may be; None for the system's folder.
    """
    with closing(BatchBuffer(arrow_schemas.schema("changes"), folder)) as rows:
        found = _ChangeCollector(load, rows)
        with ExitStack() as stack:
            count = 1 + lines // SHARE_LINES
            buffers = [BatchBuffer(_schema(), folder, in_memory=IN_MEMORY // count) for _ in range(count)]
            shares = [stack.enter_context(closing(buffer)) for buffer in buffers]
            for batches, side in ((old, "before"), (new, "after")):
                for batch in batches:
                    _distribute(_sum_vouchers(batch, side), shares)
            # The allocator keeps what the readings needed until it is told that nobody does.
            pa.default_memory_pool().release_unused()
            for share in shares:
                found.add(_merge_vouchers(pa.Table.from_batches(share.batches(), share.schema)))
        pa.default_memory_pool().release_unused()
        yield ChangeReport(found.changes(), rows)


def _schema() -> pa.Schema:
    """One row is what some lines of a voucher add up to, in one reading: ``content`` and ``entries`` count as negative
    in the earlier one, so that what is the same in both adds up to 0."""
    kinds: dict[str, pa.DataType] = {"module": pa.string(), "voucher_id": pa.int64()}
    for side in ("before", "after"):
        kinds |= {f"reference_{side}": pa.string(), f"lines_{side}": pa.int64(), f"debit_{side}": _money()}
    return pa.schema(kinds | {"content": pa.uint64(), "entries": pa.uint64()})


def _money() -> pa.DataType:
    return arrow_schemas.schema("changes").field("debit_after").type


def _sum_vouchers(batch: pa.RecordBatch, side: str) -> pa.Table:
    """A row of :func:`_schema` for each voucher of a batch."""
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
    return _merge_vouchers(
        pa.table([values.get(column.name, pa.nulls(batch.num_rows, column.type)) for column in _schema()], _schema())
    )


def _merge_vouchers(rows: pa.Table) -> pa.Table:
    """One row for each voucher; what only the other reading has stays null."""
    how = {name: "max" if name.startswith("reference") else "sum" for name in rows.schema.names if name not in _KEY}
    grouped = rows.group_by(_KEY, use_threads=False).aggregate(list(how.items()))
    return pa.table(
        [
            grouped.column(f"{column.name}_{how[column.name]}" if column.name in how else column.name).cast(column.type)
            for column in rows.schema
        ],
        rows.schema,
    )


def _distribute(rows: pa.Table, shares: Sequence[BatchBuffer]) -> None:
    """Write all rows of a voucher into the same share."""
    half, word = pa.scalar(32, pa.uint64()), pa.uint64()
    # Spread over 32 bits first: numbers of vouchers may all be even.
    ids = rows.column("voucher_id").combine_chunks().view(word)
    spread = pc.shift_right(pc.multiply(ids, pa.scalar(GOLDEN, word)), half)
    places = pc.shift_right(pc.multiply(spread, pa.scalar(len(shares), word)), half)
    for place, share in enumerate(shares):
        mine = rows.filter(pc.equal(places, place)) if len(shares) > 1 else rows
        for batch in mine.to_batches():
            share.write(batch)


class _ChangeCollector:
    """Counts the changes of all shares, keeps the first of each kind, and writes a row for each."""

    def __init__(self, load: MonthLoad, rows: BatchBuffer) -> None:
        self._columns, self._rows = load.columns(), rows
        self._counts = dict.fromkeys(contract.CHANGE_KINDS, 0)
        self._first = dict.fromkeys(contract.CHANGE_KINDS, rows.schema.empty_table())

    def add(self, vouchers: pa.Table) -> None:
        """Add the vouchers of a share."""
        reach("changes.share_added", vouchers=vouchers.num_rows)
        for kind, mask in _masks_by_kind(vouchers).items():
            rows = self._make_rows(vouchers.filter(mask), kind)
            self._counts[kind] += rows.num_rows
            both = pa.concat_tables([self._first[kind], rows])
            self._first[kind] = both.sort_by([(name, "ascending") for name in _KEY]).slice(0, FIRST).combine_chunks()
            for batch in rows.to_batches():
                self._rows.write(batch)

    def changes(self) -> Changes:
        """Return what was found in all of them."""
        first = {kind: [_format_voucher(row) for row in rows.to_pylist()] for kind, rows in self._first.items()}
        return Changes(self._counts, first)

    def _make_rows(self, vouchers: pa.Table, kind: str) -> pa.Table:
        """Make vouchers rows of the table ``changes``."""
        same = {**self._columns, "change": kind}
        columns = []
        for column in self._rows.schema:
            if column.name in same:
                columns.append(pa.repeat(pa.scalar(same[column.name], column.type), vouchers.num_rows))
            elif column.name == "reference":
                columns.append(pc.coalesce(vouchers.column("reference_after"), vouchers.column("reference_before")))
            elif column.name in _KEY:
                known = vouchers.column(column.name)
                nothing = pa.scalar("" if column.name == "module" else 0, column.type)
                columns.append(pc.if_else(pc.equal(known, nothing), pa.scalar(None, column.type), known))
            else:
                columns.append(pc.fill_null(vouchers.column(column.name), 0).cast(column.type))
        return pa.table(columns, self._rows.schema)


def _masks_by_kind(vouchers: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Find which vouchers have changed in which way."""
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


def _format_voucher(row: Mapping[str, Any]) -> str:
    name = f"{row['module'] or ''} {row['voucher_id'] or 0}"
    short = " ".join((row["reference"] or "").split())[:40]
    return f"{name} ({short})" if short else name
