"""Fingerprints show whether the postings of an account in a window still say the same.

A fingerprint of a set of postings is their count, their sum, and the sum modulo 2^64 of a 64-bit hash of each row, so
it does not depend on the order of the rows and is computed batch by batch. The extraction computes it from what it
reads and the destination from what is loaded, both with this module.

The hash covers what a booking says (:data:`BUSINESS_COLUMNS`), not how it is stored: neither ``entry_id``, which
changes whenever a voucher is saved again, nor ``load_id``, the account's name, or fields unknown to this version. Null
and empty text are the same, because the two content types of the service differ in how they send nothing.

It detects change; it is no defence against somebody who looks for two postings with one hash.

The hash of a row, so that it can be computed elsewhere (all arithmetic modulo 2^64)::

    h = 0
    for every business column, in order:
        h = mix(h + value(column))

    value of a date      days since 1970-01-01
    value of an integer  its two's complement; null is 0
    value of an amount   amount * 10^8 as a 128-bit two's complement, low half and high half as two columns
    value of a text      n * LENGTH_FACTOR + sum of TABLE[byte] * BASE ** (i + 1) over its n UTF-8 bytes i = 0, 1, ...
    TABLE[byte]          mix((byte + 1) * GOLDEN)
    mix                  the finaliser of the SplitMix64 generator

Everything is a vectorised Arrow kernel: no row becomes a Python object, and other threads run meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from airflow_provider_rma.ledger._pyarrow import pa, pc

#: What the hash covers, in this order. Changing the list changes every fingerprint.
BUSINESS_COLUMNS = (
    "transdate",
    "accno",
    "amount",
    "voucher_id",
    "module",
    "reference",
    "description",
    "source",
    "memo",
    "notes",
    "intnotes",
    "department_id",
    "department_name",
    "department_role",
)

_MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
BASE = 0xD6E8FEB86659FD93  # odd, so it has an inverse modulo 2^64
LENGTH_FACTOR = 0xA0761D6478BD642F
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))

#: Rows and bytes of text handled at once: the working memory (about 40 bytes per byte of text) stays in the cache.
ROWS_AT_ONCE = 16_384
TEXT_BYTES_AT_ONCE = 1 << 17


@dataclass(frozen=True)
class Fingerprint:
    """Fingerprint of a set of postings.

    :param count: number of postings.
    :param sum: sum of the raw amounts (debit negative).
    :param hash: sum of the row hashes modulo 2^64.
    """

    count: int
    sum: Decimal
    hash: int


class Fingerprinter:
    """Collects the fingerprints of the accounts of a window, batch by batch."""

    def __init__(self) -> None:
        self._totals: dict[str, Fingerprint] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Add some postings.

        :param batch: has at least :data:`BUSINESS_COLUMNS`, typed as the table ``postings``.
        """
        if batch.num_rows == 0:
            return
        rows = pa.table(
            {"accno": batch.column("accno"), "amount": batch.column("amount"), "hash": row_hashes(batch)},
        )
        grouped = rows.group_by("accno").aggregate([("amount", "count"), ("amount", "sum"), ("hash", "sum")])
        for accno, count, total, hashed in zip(
            *(grouped.column(name).to_pylist() for name in ("accno", "amount_count", "amount_sum", "hash_sum")),
            strict=True,
        ):
            before = self._totals.get(accno)
            if before is not None:
                count, total, hashed = count + before.count, total + before.sum, (hashed + before.hash) & _MASK
            self._totals[accno] = Fingerprint(count, total, hashed)

    def result(self) -> dict[str, Fingerprint]:
        """Return what was added so far, by account number."""
        return dict(self._totals)


def row_hashes(batch: pa.RecordBatch) -> pa.UInt64Array:
    """Compute the hash of each posting.

    :param batch: has at least :data:`BUSINESS_COLUMNS`, typed as the table ``postings``.
    :return: one unsigned 64-bit number per row.
    """
    parts = [
        _hash_rows([batch.column(name).slice(start, ROWS_AT_ONCE) for name in BUSINESS_COLUMNS])
        for start in range(0, batch.num_rows, ROWS_AT_ONCE)
    ]
    return pa.concat_arrays(parts) if parts else pa.array([], pa.uint64())


def _hash_rows(columns: list[pa.Array]) -> pa.UInt64Array:
    hashed = pa.repeat(_word(0), len(columns[0]))
    for column in columns:
        for value in _to_words(column):
            hashed = _mix(hashed if value is None else pc.add(hashed, value))
    return hashed


def _to_words(column: pa.Array) -> list[pa.UInt64Array | None]:
    """Convert the values of a column to unsigned words; None stands for a column of zeros."""
    words = 2 if pa.types.is_decimal(column.type) else 1
    if column.null_count == len(column):
        return [None] * words
    if pa.types.is_decimal(column.type):
        return _decimal_words(column)
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32())
    if pa.types.is_integer(column.type):
        return [pc.fill_null(column, 0).cast(pa.int64()).view(pa.uint64())]
    return [_text_words(pc.fill_null(column.cast(pa.string()), ""))]


def _decimal_words(column: pa.Array) -> list[pa.UInt64Array | None]:
    if column.null_count:
        column = pc.fill_null(column, Decimal(0))
    # The buffer holds 16 bytes per amount, the low half first on every machine that Arrow ships for.
    halves = pa.Array.from_buffers(pa.uint64(), 2 * len(column), [None, column.buffers()[1]], offset=2 * column.offset)
    pairs = pa.FixedSizeListArray.from_arrays(halves, 2)
    return [pc.list_element(pairs, 0), pc.list_element(pairs, 1)]


def _text_words(column: pa.Array) -> pa.UInt64Array:
    """Compute the value of each text of a column without nulls.

    With running sums over all bytes of the column, the value of one text is the difference of two of them, moved back
    by a power of the base: no text is looked at on its own.
    """
    offsets = pa.Array.from_buffers(pa.int32(), len(column) + 1, [None, column.buffers()[1]], offset=column.offset)
    first, last = offsets[0].as_py(), offsets[len(column)].as_py()
    size = last - first
    if size > TEXT_BYTES_AT_ONCE:
        if len(column) == 1:
            return _long_text(column[0].as_buffer())
        half = len(column) // 2
        return pa.concat_arrays([_text_words(column.slice(0, half)), _text_words(column.slice(half))])
    octets = pa.Array.from_buffers(pa.uint8(), size, [None, column.buffers()[2]], offset=first)
    sums = pa.concat_arrays([pa.repeat(_word(0), 1), pc.cumulative_sum(_terms(octets))])
    places = pc.subtract(offsets, first)
    begins, ends = places.slice(0, len(column)), places.slice(1)
    total = pc.subtract(pc.take(sums, ends, boundscheck=False), pc.take(sums, begins, boundscheck=False))
    moved = pc.multiply(total, pc.take(_powers()[1], begins, boundscheck=False))
    lengths = pc.subtract(ends, begins).cast(pa.uint64())
    return pc.add(moved, pc.multiply(lengths, _word(LENGTH_FACTOR)))


def _terms(octets: pa.Array) -> pa.UInt64Array:
    return pc.multiply(pc.take(_octet_table(), octets, boundscheck=False), _powers()[0].slice(1, len(octets)))


def _long_text(text: pa.Buffer) -> pa.UInt64Array:
    """Compute the value of one text that is longer than the tables of powers: piece by piece."""
    octets = pa.Array.from_buffers(pa.uint8(), text.size, [None, text])
    total = text.size * LENGTH_FACTOR
    for start in range(0, text.size, TEXT_BYTES_AT_ONCE):
        total += pc.sum(_terms(octets.slice(start, TEXT_BYTES_AT_ONCE))).as_py() * pow(BASE, start, 2**64)
    return pa.array([total & _MASK], pa.uint64())


def _mix(words: pa.UInt64Array) -> pa.UInt64Array:
    for shift, factor in _MIX:
        words = pc.multiply(pc.bit_wise_xor(words, pc.shift_right(words, _word(shift))), _word(factor))
    return pc.bit_wise_xor(words, pc.shift_right(words, _word(31)))


@cache
def _word(value: int) -> pa.UInt64Scalar:
    return pa.scalar(value, pa.uint64())


@cache
def _octet_table() -> pa.UInt64Array:
    return _mix(pa.array([(octet + 1) * GOLDEN & _MASK for octet in range(256)], pa.uint64()))


@cache
def _powers() -> tuple[pa.UInt64Array, pa.UInt64Array]:
    """Compute BASE ** i and BASE ** -i, as far as the longest piece of text needs them."""
    first = pa.repeat(_word(1), 1)
    powers, inverses = (
        pa.concat_arrays([first, pc.cumulative_prod(pa.repeat(_word(base), TEXT_BYTES_AT_ONCE))])
        for base in (BASE, pow(BASE, -1, 2**64))
    )
    return powers, inverses
