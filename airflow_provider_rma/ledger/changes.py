"""Which vouchers of a window are not what they were: added, removed, amended, or only saved again.

Two readings of a window are compared by a few numbers for each voucher, not by rows. What a voucher says is what
:mod:`.fingerprint` hashes; its line numbers (``entry_id``), which change whenever it is saved again, are a number of
their own.

Each reading passes once. The numbers wait in temporary files, each with the same share of the vouchers of both
readings, and one file after the other is looked at: memory does not grow with the window.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.ledger.destinations.spool import Spool
from airflow_provider_rma.ledger.extras import pyarrow
from airflow_provider_rma.ledger.fingerprint import BUSINESS_COLUMNS, GOLDEN, row_hashes

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns of postings from which vouchers are told apart.
COLUMNS = (*BUSINESS_COLUMNS, "entry_id")

#: Kinds of change, in the order in which they are reported.
KINDS = ("added", "removed", "amended", "reposted")

#: Vouchers of each kind that are named.
FIRST = 10

#: Lines of both readings whose vouchers are compared at once; a voucher has two or more.
PART_LINES = 500_000

_KEY = ["module", "voucher_id"]
_OLD, _NEW = "_before", "_after"


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


def compare(
    old: Iterable[pa.RecordBatch],
    new: Iterable[pa.RecordBatch],
    *,
    lines: int,
    folder: str | os.PathLike[str] | None = None,
) -> Changes:
    """What happened between two readings of a window.

    Added and removed say where a voucher is now, not what was done: one that was dated into another month is removed
    here and added there. Reposted is a voucher that was saved again and says the same.

    :param old: postings of the earlier reading; at least :data:`COLUMNS`, typed as in ``tables.POSTINGS``.
    :param new: those of the later one, likewise.
    :param lines: how many there are of both together, roughly; it decides on the number of temporary files.
    :param folder: where these may be; None for the system's folder.
    """
    found = _Found()
    with ExitStack() as stack:
        parts = [stack.enter_context(closing(Spool(_schema(), folder))) for _ in range(1 + lines // PART_LINES)]
        for batches, side in ((old, _OLD), (new, _NEW)):
            for batch in batches:
                _distribute(_summed(batch, side), parts)
        for part in parts:
            found.add(_grouped(pyarrow().Table.from_batches(part.batches(), part.schema)))
    return found.changes()


def _schema() -> Any:
    """One row is what some lines of a voucher add up to, in one reading: ``content`` and ``entries`` count as negative
    in the earlier one, so that what is the same in both adds up to 0."""
    pa = pyarrow()
    kinds: dict[str, Any] = {"module": pa.string(), "voucher_id": pa.int64()}
    for side in (_OLD, _NEW):
        kinds |= {f"reference{side}": pa.string(), f"lines{side}": pa.int64()}
    return pa.schema(kinds | {"content": pa.uint64(), "entries": pa.uint64()})


def _summed(batch: Any, side: str) -> Any:
    """A row of :func:`_schema` for each voucher of a batch."""
    pa, pc = pyarrow(), pyarrow("pyarrow.compute")
    entries = pc.fill_null(batch.column("entry_id"), 0).cast(pa.int64()).view(pa.uint64())
    numbers = {
        "content": row_hashes(batch),
        # Free of order, and other numbers of the same sum give another value.
        "entries": pc.add(pc.multiply(entries, entries), entries),
    }
    if side == _OLD:
        zero = pa.scalar(0, pa.uint64())
        numbers = {name: pc.subtract(zero, values) for name, values in numbers.items()}
    values = {
        # Null is the same as nothing, as in the fingerprint.
        "module": pc.fill_null(batch.column("module"), ""),
        "voucher_id": pc.fill_null(batch.column("voucher_id"), 0),
        f"reference{side}": batch.column("reference"),
        f"lines{side}": pa.repeat(pa.scalar(1, pa.int64()), batch.num_rows),
        **numbers,
    }
    zeros = pa.repeat(pa.scalar(0, pa.int64()), batch.num_rows)
    schema = _schema()
    columns = [
        values.get(one.name, pa.nulls(batch.num_rows, one.type) if pa.types.is_string(one.type) else zeros)
        for one in schema
    ]
    return _grouped(pa.table([column.cast(one.type) for column, one in zip(columns, schema, strict=True)], schema))


def _grouped(rows: Any) -> Any:
    """One row for each voucher."""
    how = {name: "max" if name.startswith("reference") else "sum" for name in rows.schema.names if name not in _KEY}
    grouped = rows.group_by(_KEY, use_threads=False).aggregate(list(how.items()))
    return pyarrow().table(
        [
            grouped.column(f"{one.name}_{how[one.name]}" if one.name in how else one.name).cast(one.type)
            for one in rows.schema
        ],
        rows.schema,
    )


def _distribute(rows: Any, parts: Sequence[Spool]) -> None:
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
    """Counts the changes of all parts, and keeps the first of each kind."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(KINDS, 0)
        self._first: dict[str, Any] = {}

    def add(self, vouchers: Any) -> None:
        """Take in the vouchers of a part."""
        for kind, mask in _masks(vouchers).items():
            rows = vouchers.filter(mask)
            self._counts[kind] += rows.num_rows
            known = [self._first[kind]] if kind in self._first else []
            both = pyarrow().concat_tables([*known, rows])
            self._first[kind] = both.sort_by([(name, "ascending") for name in _KEY]).slice(0, FIRST).combine_chunks()

    def changes(self) -> Changes:
        return Changes(
            self._counts, {kind: [_name(row) for row in rows.to_pylist()] for kind, rows in self._first.items()}
        )


def _masks(vouchers: Any) -> dict[str, Any]:
    """Which vouchers have changed in which way."""
    pa, pc = pyarrow(), pyarrow("pyarrow.compute")
    # Typed: compared with a plain 0, a large hash would not fit.
    zero = pa.scalar(0, pa.uint64())
    before, after = vouchers.column("lines_before"), vouchers.column("lines_after")
    was, is_ = pc.greater(before, 0), pc.greater(after, 0)
    same = pc.and_(pc.equal(before, after), pc.equal(vouchers.column("content"), zero))
    return {
        "added": pc.invert(was),
        "removed": pc.invert(is_),
        "amended": pc.and_(pc.and_(was, is_), pc.invert(same)),
        "reposted": pc.and_(same, pc.not_equal(vouchers.column("entries"), zero)),
    }


def _name(row: Mapping[str, Any]) -> str:
    name = f"{row['module']} {row['voucher_id']}"
    short = " ".join((row["reference_after"] or row["reference_before"] or "").split())[:40]
    return f"{name} ({short})" if short else name
