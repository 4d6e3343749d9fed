"""Posting lines as Arrow batches. The marshmallow schema is the one declaration of what a posting has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.exceptions import UnexpectedResponseError
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.windows import Window
from airflow_provider_rma.schemas.ledger import TransactionSchema

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of one batch.
BATCH_ROWS = 10_000

_STEP = Decimal(1).scaleb(-contract.SCALE)
_CONTEXT = Context(prec=contract.PRECISION)
_ZERO = Decimal(0).quantize(_STEP)

#: Fields of a posting that are no column of their own: the account (twice there), the department's parts, the amount.
_TREATED = frozenset({"id", "chart", "accno", "amount", "department"})


def _declared(field: str = "") -> tuple[str, ...]:
    schema: Any = TransactionSchema
    return tuple((schema._declared_fields[field].schema_class if field else schema)._declared_fields)


#: Fields that become the column of the same name.
PLAIN = tuple(name for name in _declared() if name not in _TREATED)
#: Parts of the department; the column is ``department_<part>``.
DEPARTMENT = _declared("department")
_KNOWN = frozenset(_declared())
_KNOWN_INSIDE: Mapping[str, frozenset[str]] = {name: frozenset(_declared(name)) for name in ("chart", "department")}


class PostingBatches:
    """Turns postings into batches of the table of postings, one batch in memory at a time.

    :param names: account names by number.
    """

    def __init__(self, tenant: str, window: Window, load_id: str, names: Mapping[str, str]) -> None:
        self.tenant, self.window, self.load_id, self.names = tenant, window, load_id, names
        self._columns: dict[str, list[Any]] = {column.name: [] for column in contract.TABLES["postings"].columns}
        self._seen = 0

    def __len__(self) -> int:
        return len(self._columns["accno"])

    def append(self, posting: Mapping[str, Any]) -> tuple[str, Decimal]:
        """Take one posting as the client reads it; gives account number and amount as they were taken.

        Amounts are taken to eight decimals, the precision of the ledger: what its database shows beyond is noise of
        binary fractions (ledger code). An empty text becomes null, which JSON and XML then have in common.

        :raises UnexpectedResponseError: if it lies outside of the window, or account, voucher or amount cannot be read.
        """
        self._seen += 1
        accno, amount = self._account(posting), self._amount(posting)
        if posting.get("transdate") is None or posting["transdate"] not in self.window:
            day = posting["transdate"].isoformat() if posting.get("transdate") else "no day"
            raise self._unexpected(f"is dated {day}, outside of {self.window.start} to {self.window.end}")
        if posting.get("id") is None:
            raise self._unexpected("belongs to no voucher")
        department = posting.get("department") or {}
        row = {
            **{name: _text_or_value(posting.get(name)) for name in PLAIN},
            **{f"department_{part}": _text_or_value(department.get(part)) for part in DEPARTMENT},
            "tenant": self.tenant,
            "month": self.window.start,
            "accno": accno,
            "account_name": self.names.get(accno) or None,
            "amount": amount,
            "debit": -amount if amount < 0 else _ZERO,
            "credit": amount if amount > 0 else _ZERO,
            "voucher_id": posting["id"],
            "extra": _extra(posting),
            "load_id": self.load_id,
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
        """The postings since the last call."""
        import pyarrow as pa

        schema = contract.schema("postings")
        arrays = [pa.array(self._columns[field.name], type=field.type) for field in schema]
        for values in self._columns.values():
            values.clear()
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _account(self, posting: Mapping[str, Any]) -> str:
        stub = posting.get("chart") or {}
        found = {number for number in (posting.get("accno"), stub.get("accno")) if number}
        if len(found) != 1:
            raise self._unexpected("names two accounts" if found else "names no account")
        return str(found.pop())

    def _amount(self, posting: Mapping[str, Any]) -> Decimal:
        try:
            return scaled(Decimal(posting["amount"]))
        except (KeyError, TypeError):
            raise self._unexpected("has no amount") from None
        except InvalidOperation:
            raise self._unexpected("has an amount too large for any ledger") from None

    def _unexpected(self, problem: str) -> UnexpectedResponseError:
        return UnexpectedResponseError(
            f"posting {self._seen} of {self.window} {problem}",
            advice="The answer does not fit the documented interface; nothing of this month was loaded.",
        )


def scaled(amount: Decimal) -> Decimal:
    """An amount with the decimals of the table; zero without a sign.

    :raises decimal.InvalidOperation: if it is too large.
    """
    return amount.quantize(_STEP, context=_CONTEXT) + _ZERO


def _text_or_value(value: Any) -> Any:
    return None if value == "" else value


def _extra(posting: Mapping[str, Any]) -> str | None:
    """What nobody has documented, as JSON."""
    unknown: dict[str, Any] = {name: value for name, value in posting.items() if name not in _KNOWN}
    for name, known in _KNOWN_INSIDE.items():
        inside = {key: value for key, value in (posting.get(name) or {}).items() if key not in known}
        if inside:
            unknown[name] = inside
    return json.dumps(unknown, ensure_ascii=False, sort_keys=True) if unknown else None
