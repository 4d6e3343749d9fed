"""Columns of text become the columns of the table of postings; each is checked as a whole.

How a value is read is declared by the fields of the schema alone. Two kinds of field have a form that can be recognised
and read in whole columns (whole numbers and amounts without anything odd); every other text is read by the field
itself, once per distinct text. Text fields take any text.
"""

from __future__ import annotations

from marshmallow import ValidationError

from airflow_provider_rma.ledger import arrow_schemas, contract
from airflow_provider_rma.ledger._pyarrow import pa, pc
from airflow_provider_rma.ledger.postings.batches import DEPARTMENT, PLAIN, PostingBatches, to_scale
from airflow_provider_rma.ledger.postings.decode.fields import FastPathRefusedError, Leaf, leaves
from airflow_provider_rma.schemas.amounts import Amount
from airflow_provider_rma.schemas.dates import CalendarDate
from airflow_provider_rma.schemas.fields import Boolean, Integer
from airflow_provider_rma.schemas.ledger import TransactionSchema
from airflow_provider_rma.schemas.text import Text

#: Texts that mean to Arrow what they mean to the schema: exactly this number.
_PLAIN_WHOLE = r"\A-?[0-9]{1,18}\z"
_PLAIN_AMOUNT = rf"\A-?[0-9]{{1,15}}(?:\.[0-9]{{1,{contract.SCALE}}})?\z"


class PostingColumns:
    """Turns batches of texts into batches of the table of postings.

    :param batches: says to which tenant, window and load they belong, and knows the names of accounts.
    """

    def __init__(self, batches: PostingBatches) -> None:
        self._batches = batches

    def convert(self, texts: pa.RecordBatch) -> pa.RecordBatch:
        """Make the same rows as :meth:`PostingBatches.append` would.

        :param texts: one column of text per leaf of a posting, null where it is missing or empty. Leaves that are not
            kept may be left out by a caller that knows that they can be read.
        :raises FastPathRefusedError: if a row has to be looked at by the schema.
        """
        given = frozenset(texts.schema.names)
        values = {
            leaf.column: read_column(leaf, texts.column(leaf.column)) for leaf in leaves() if leaf.column in given
        }
        for needed in ("id", "amount", "transdate", TransactionSchema.key):
            if values[needed].null_count:
                raise FastPathRefusedError("a posting lacks something")
        self._check_days(values["transdate"])
        accno = merge_accounts(values["accno"], values["chart_accno"])
        columns = {
            **{name: values[name] for name in PLAIN},
            **{f"department_{part}": values[f"department_{part}"] for part in DEPARTMENT},
            "accno": accno,
            "account_name": self._names(accno),
            "voucher_id": values["id"],
            **_split_amount(values["amount"]),
        }
        rows = texts.num_rows
        constant = self._batches.load.columns()
        arrays = []
        for field in arrow_schemas.schema("postings"):
            if field.name in columns:
                arrays.append(columns[field.name])
            else:
                arrays.append(pa.repeat(pa.scalar(constant.get(field.name), field.type), rows))
        return pa.RecordBatch.from_arrays(arrays, schema=arrow_schemas.schema("postings"))

    def _check_days(self, days: pa.Array) -> None:
        span = pc.min_max(days)
        window = self._batches.load.window
        if not (span["min"].as_py() in window and span["max"].as_py() in window):
            raise FastPathRefusedError("a posting lies outside of the month")

    def _names(self, accno: pa.Array) -> pa.Array:
        encoded = accno.dictionary_encode()
        names = [self._batches.names.get(number) or None for number in encoded.dictionary.to_pylist()]
        return pa.array(names, pa.string()).take(encoded.indices)


def read_column(leaf: Leaf, texts: pa.Array) -> pa.Array:
    """Read a column of texts as its field does."""
    if texts.null_count == len(texts) and not isinstance(leaf.field, Amount | CalendarDate | Integer):
        return texts
    shortest = pc.min(pc.binary_length(texts)).as_py()
    if shortest == 0:
        texts = pc.if_else(pc.equal(pc.binary_length(texts), 0), pa.scalar(None, texts.type), texts)
    if isinstance(leaf.field, Text):
        return texts
    if isinstance(leaf.field, Amount):
        return _cast_plain(leaf, texts, _PLAIN_AMOUNT, arrow_schemas.ARROW_TYPES["money"])
    if isinstance(leaf.field, Integer) and not leaf.part:
        return _cast_plain(leaf, texts, _PLAIN_WHOLE, pa.int64())
    return _read_distinct(leaf, texts)


def _cast_plain(leaf: Leaf, texts: pa.Array, pattern: str, kind: pa.DataType) -> pa.Array:
    """Cast the texts that have a pattern, and read the others one by one."""
    plain = pc.match_substring_regex(texts, pattern)
    if pc.all(plain, min_count=0).as_py():
        return texts.cast(kind)
    odd = pc.invert(pc.fill_null(plain, True))
    read = _read_distinct(leaf, texts.filter(odd), kind)
    return pc.replace_with_mask(pc.if_else(odd, pa.scalar(None, texts.type), texts).cast(kind), odd, read)


def _read_distinct(leaf: Leaf, texts: pa.Array, kind: pa.DataType | None = None) -> pa.Array:
    """Read each distinct text as the field itself does."""
    encoded = texts.dictionary_encode()
    try:
        read = [leaf.field.read_wire(text) for text in encoded.dictionary.to_pylist()]
        if isinstance(leaf.field, Amount):
            read = [None if value is None else to_scale(value) for value in read]
    except (ValidationError, ArithmeticError):
        raise FastPathRefusedError("a value cannot be read") from None
    return pa.array(read, kind or _arrow_type(leaf)).take(encoded.indices)


def _arrow_type(leaf: Leaf) -> pa.DataType | None:
    if isinstance(leaf.field, Integer):
        return pa.int64()
    if isinstance(leaf.field, Boolean):
        return pa.bool_()
    return pa.date32() if isinstance(leaf.field, CalendarDate) else None


def merge_accounts(own: pa.Array, stub: pa.Array) -> pa.Array:
    """Return the account of each row, which must be named, and by both members alike."""
    if pc.any(pc.not_equal(own, stub), min_count=0).as_py():
        raise FastPathRefusedError("a posting names two accounts")
    accno = pc.coalesce(own, stub)
    if accno.null_count:
        raise FastPathRefusedError("a posting names no account")
    return accno


def _split_amount(amount: pa.Array) -> dict[str, pa.Array]:
    zero = pa.scalar(0).cast(amount.type)
    is_debit = pc.less(amount, zero)
    return {
        "amount": amount,
        "debit": pc.if_else(is_debit, pc.negate(amount), zero),
        "credit": pc.if_else(is_debit, zero, amount),
    }
