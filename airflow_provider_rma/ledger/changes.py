"""Which vouchers of a window are not what they were: added, removed, amended, or only saved again.

Two readings of a window are compared by a few numbers for each voucher, not by rows. What a voucher says is what
:mod:`.fingerprint` hashes; its line numbers (``entry_id``), which change whenever it is saved again, are a number of
their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.ledger.extras import pyarrow
from airflow_provider_rma.ledger.fingerprint import BUSINESS_COLUMNS, row_hashes

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns of postings from which vouchers are told apart.
COLUMNS = (*BUSINESS_COLUMNS, "entry_id")

#: Kinds of change, in the order in which they are reported.
KINDS = ("added", "removed", "amended", "reposted")

#: Vouchers of each kind that are named.
FIRST = 10

_KEY = ["module", "voucher_id"]
_SUMS = ["lines", "content", "entries"]
#: Parts of a reading are put together when they are so many: a voucher can be in several.
_PARTS = 32


class Vouchers:
    """The vouchers of a window, some 50 bytes each, collected batch by batch."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in some postings.

        :param batch: has at least :data:`COLUMNS`, typed as in ``tables.POSTINGS``.
        """
        if batch.num_rows == 0:
            return
        pa, pc = pyarrow(), pyarrow("pyarrow.compute")
        entries = pc.fill_null(batch.column("entry_id"), 0).cast(pa.int64()).view(pa.uint64())
        rows = {
            "module": pc.fill_null(batch.column("module").cast(pa.string()), ""),
            "voucher_id": pc.fill_null(batch.column("voucher_id"), 0).cast(pa.int64()),
            "reference": batch.column("reference").cast(pa.string()),
            "lines": pa.repeat(pa.scalar(1, pa.uint64()), batch.num_rows),
            "content": row_hashes(batch),
            # Free of order, and other numbers of the same sum give another value.
            "entries": pc.add(pc.multiply(entries, entries), entries),
        }
        self._parts.append(_grouped(pa.table(rows)))
        if len(self._parts) >= _PARTS:
            self._parts = [self.table()]

    def table(self) -> pa.Table:
        """One row for each voucher."""
        pa = pyarrow()
        if not self._parts:
            kinds = {"module": pa.string(), "voucher_id": pa.int64(), "reference": pa.string()}
            return pa.schema(kinds | dict.fromkeys(_SUMS, pa.uint64())).empty_table()
        return _grouped(pa.concat_tables(self._parts))


def _grouped(rows: pa.Table) -> pa.Table:
    sums: list[Any] = [("reference", "max"), *((name, "sum") for name in _SUMS)]
    grouped = rows.group_by(_KEY, use_threads=False).aggregate(sums)
    return pyarrow().table(
        {
            **{name: grouped.column(name) for name in _KEY},
            "reference": grouped.column("reference_max"),
            **{name: grouped.column(f"{name}_sum") for name in _SUMS},
        }
    )


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


def compare(old: Vouchers, new: Vouchers) -> Changes:
    """What happened between two readings of a window.

    Added and removed say where a voucher is now, not what was done: one that was dated into another month is removed
    here and added there. Reposted is a voucher that was saved again and says the same.
    """
    pc = pyarrow("pyarrow.compute")
    both = old.table().join(new.table(), keys=_KEY, join_type="full outer", right_suffix="_new", use_threads=False)
    is_old, is_new = pc.is_valid(both.column("lines")), pc.is_valid(both.column("lines_new"))
    same = {name: pc.fill_null(pc.equal(both.column(name), both.column(f"{name}_new")), False) for name in _SUMS}
    says_the_same = pc.and_(same["lines"], same["content"])
    stays = pc.and_(is_old, is_new)
    masks = {
        "added": pc.invert(is_old),
        "removed": pc.invert(is_new),
        "amended": pc.and_(stays, pc.invert(says_the_same)),
        "reposted": pc.and_(says_the_same, pc.invert(same["entries"])),
    }
    found = {kind: both.filter(masks[kind]) for kind in KINDS}
    return Changes(
        {kind: rows.num_rows for kind, rows in found.items()}, {kind: _first(rows) for kind, rows in found.items()}
    )


def _first(rows: pa.Table) -> list[str]:
    chosen = rows.sort_by([(name, "ascending") for name in _KEY]).slice(0, FIRST).to_pylist()
    return [_name(row["module"], row["voucher_id"], row["reference_new"] or row["reference"]) for row in chosen]


def _name(module: str, voucher_id: int, reference: str | None) -> str:
    short = " ".join((reference or "").split())[:40]
    return f"{module} {voucher_id} ({short})" if short else f"{module} {voucher_id}"
