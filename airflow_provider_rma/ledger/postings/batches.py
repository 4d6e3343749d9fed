"""Posting lines as Arrow batches. The marshmallow schema is the one declaration of what a posting has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from airflow_provider_rma.exceptions import UnexpectedResponseError
from airflow_provider_rma.ledger import arrow_schemas, contract
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.windows import MonthLoad
from airflow_provider_rma.schemas.ledger import TransactionSchema

#: Rows of one batch.
BATCH_ROWS = 10_000

_STEP = Decimal(1).scaleb(-contract.SCALE)
_CONTEXT = Context(prec=contract.PRECISION)
_ZERO = Decimal(0).quantize(_STEP)

#: Fields of a posting that are no column of their own: the account (twice there), the department's parts, the amount.
_OWN_COLUMNS = frozenset({"id", "chart", "accno", "amount", "department"})


def _declared(field: str = "") -> tuple[str, ...]:
    schema: Any = TransactionSchema
    return tuple((schema._declared_fields[field].schema_class if field else schema)._declared_fields)


#: Fields that become the column of the same name.
PLAIN = tuple(name for name in _declared() if name not in _OWN_COLUMNS)
#: Parts of the department; the column is ``department_<part>``.
DEPARTMENT = _declared("department")
_KNOWN = frozenset(_declared())
_KNOWN_INSIDE: Mapping[str, frozenset[str]] = {name: frozenset(_declared(name)) for name in ("chart", "department")}


class PostingBatches:
    """Turns postings into batches of the table of postings, one batch in memory at a time.

    :param load: the load whose rows they become.
    :param names: account names by number.
    """

    def __init__(self, load: MonthLoad, names: Mapping[str, str]) -> None:
        self.load, self.names = load, names
        self._columns: dict[str, list[Any]] = {column.name: [] for column in contract.TABLES["postings"].columns}
        self._seen = 0

    def __len__(self) -> int:
        return len(self._columns["accno"])

    def append(self, posting: Mapping[str, Any]) -> tuple[str, Decimal]:
        """Take one posting as the client reads it. Returns account number and amount as they were taken.

        Amounts are taken to eight decimals, the precision of the ledger: what its database shows beyond is noise of
        binary fractions (ledger code). An empty text becomes null, which JSON and XML then have in common.

        :raises UnexpectedResponseError: if it lies outside of the window, or account, voucher or amount cannot be read.
        """
        self._seen += 1
        accno, amount, window = self._account(posting), self._amount(posting), self.load.window
        if posting.get("transdate") is None or posting["transdate"] not in window:
            day = posting["transdate"].isoformat() if posting.get("transdate") else "no day"
            raise self._unexpected_error(f"is dated {day}, outside of {window.start} to {window.end}")
        if posting.get("id") is None:
            raise self._unexpected_error("belongs to no voucher")
        department = posting.get("department") or {}
        row = {
            **{name: _empty_to_null(posting.get(name)) for name in PLAIN},
            **{f"department_{part}": _empty_to_null(department.get(part)) for part in DEPARTMENT},
            **self.load.columns(),
            "accno": accno,
            "account_name": self.names.get(accno) or None,
            "amount": amount,
            "debit": -amount if amount < 0 else _ZERO,
            "credit": amount if amount > 0 else _ZERO,
            "voucher_id": posting["id"],
            "extra": _extra_json(posting),
        }
        for name, values in self._columns.items():
            values.append(row[name])
        return accno, amount

    def restart(self, seen: int) -> None:
        """Forget what was appended and not yet taken.

        :param seen: postings that were taken elsewhere, so that messages number the next ones right.
        """
        self._seen = seen
        for values in self._columns.values():
            values.clear()

    def take(self) -> pa.RecordBatch:
        """Return the postings since the last call."""
        schema = arrow_schemas.schema("postings")
        arrays = [pa.array(self._columns[field.name], type=field.type) for field in schema]
        for values in self._columns.values():
            values.clear()
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _account(self, posting: Mapping[str, Any]) -> str:
        stub = posting.get("chart") or {}
        found = {number for number in (posting.get("accno"), stub.get("accno")) if number}
        if len(found) != 1:
            raise self._unexpected_error("names two accounts" if found else "names no account")
        return str(found.pop())

    def _amount(self, posting: Mapping[str, Any]) -> Decimal:
        try:
            return to_scale(Decimal(posting["amount"]))
        except (KeyError, TypeError):
            raise self._unexpected_error("has no amount") from None
        except InvalidOperation:
            raise self._unexpected_error("has an amount too large for any ledger") from None

    def _unexpected_error(self, problem: str) -> UnexpectedResponseError:
        return UnexpectedResponseError(
            f"posting {self._seen} of {self.load.window} {problem}",
            advice="The answer does not fit the documented interface; nothing of this month was loaded.",
        )


def to_scale(amount: Decimal) -> Decimal:
    """Bring an amount to the decimals of the table; zero without a sign.

    :raises decimal.InvalidOperation: if it is too large.
    """
    return amount.quantize(_STEP, context=_CONTEXT) + _ZERO


def _empty_to_null(value: Any) -> Any:
    return None if value == "" else value


def _extra_json(posting: Mapping[str, Any]) -> str | None:
    """Format what nobody has documented, as JSON."""
    unknown: dict[str, Any] = {name: value for name, value in posting.items() if name not in _KNOWN}
    for name, known in _KNOWN_INSIDE.items():
        inside = {key: value for key, value in (posting.get(name) or {}).items() if key not in known}
        if inside:
            unknown[name] = inside
    return json.dumps(unknown, ensure_ascii=False, sort_keys=True) if unknown else None
