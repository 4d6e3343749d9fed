"""In which sign the service states balances: learned once per account from the data, kept, and never fitted again.

The interface does not document it. The sample suggests the natural sign (assets and expenses positive when debited,
the rest when credited), and the ledger code shows balances so, contra accounts turned once more. Postings are raw
(credit positive). Only the data can tell, so each account's sign is learned from the first proven window in which it
moved, and stored by the destination. A statement with the other sign later on is a break, not a new convention.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_rma.exceptions import LedgerError
from airflow_provider_rma.ledger.proof.accounts import AccountKind, AccountKinds

#: What each known convention says of an account, by first digit: +1 as in the postings, -1 turned. Classes 7 to 9 hold
#: income and expenses side by side, so the natural sign cannot be told from their number.
_MODELS: Mapping[str, Mapping[str, int]] = {
    "natural": {"1": -1, "2": 1, "3": 1, "4": -1, "5": -1, "6": -1},
    "raw": dict.fromkeys("123456", 1),
    "debit_positive": dict.fromkeys("123456", -1),
}

#: Accounts of one kind that must have shown their sign before they can contradict every known convention.
_ENOUGH = 4
#: Share of them that must agree with a convention; the rest are contra accounts.
_SHARE = 0.75

_VERSION = 1


@dataclass(frozen=True)
class SignConvention:
    """The sign of each account that has shown it: ``stated balance = sign × raw sum``.

    :param signs: account number to +1 (as in the postings) or -1 (turned).
    :param learned_in: account number to the month that showed it.
    """

    signs: Mapping[str, int] = field(default_factory=dict)
    learned_in: Mapping[str, str] = field(default_factory=dict)

    def sign(self, accno: str) -> int | None:
        """Sign of an account, None as long as it has not moved in a proven window."""
        return self.signs.get(accno)

    def with_signs(self, signs: Mapping[str, int], month: str) -> SignConvention:
        """Add the signs that a month showed. Those that were known stay."""
        new = {accno: sign for accno, sign in signs.items() if accno not in self.signs}
        return SignConvention({**self.signs, **new}, {**self.learned_in, **dict.fromkeys(new, month)}) if new else self

    def names(self, kinds: AccountKinds) -> dict[str, str]:
        """Name of the convention for balance-sheet and income-statement accounts: ``natural``, ``raw``,
        ``debit_positive``, ``unknown`` (nothing has moved yet), or ``contradictory``."""
        return {
            kind.value: _model_name(self._signs_by_kind(kinds, kind))
            for kind in (AccountKind.BALANCE_SHEET, AccountKind.INCOME_STATEMENT)
        }

    def contradiction(self, kinds: AccountKinds) -> str:
        """Say why this cannot be a convention. Returns an empty text if it can."""
        for kind, name in self.names(kinds).items():
            if name == "contradictory":
                return (
                    f"the signs in which balances of {kind.replace('_', '-')} accounts are stated follow no known "
                    "convention (neither natural, nor raw, nor debit positive)"
                )
        return ""

    def deviations(self, kinds: AccountKinds) -> list[str]:
        """Accounts that are stated with another sign than the rest of their kind, as contra accounts are."""
        found = []
        for kind in (AccountKind.BALANCE_SHEET, AccountKind.INCOME_STATEMENT):
            signs = dict(self._signs_by_kind(kinds, kind))
            model = _MODELS.get(_model_name(signs.items()))
            if model:
                found += [accno for accno, sign in signs.items() if model.get(accno[:1], sign) != sign]
        return sorted(found)

    def _signs_by_kind(self, kinds: AccountKinds, kind: AccountKind) -> list[tuple[str, int]]:
        return [(accno, sign) for accno, sign in self.signs.items() if kinds.kind(accno) is kind]

    def as_dict(self) -> dict[str, Any]:
        """Return the form that a destination keeps."""
        return {"version": _VERSION, "signs": dict(sorted(self.signs.items())), "learnt": dict(self.learned_in)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any] | None) -> SignConvention:
        """Read the form that a destination kept; None is a tenant of whom nothing is known.

        :raises LedgerError: if it cannot be read: guessing anew would be fitting.
        """
        if stored is None:
            return cls()
        signs, learned_in = stored.get("signs"), stored.get("learnt")
        readable = stored.get("version") == _VERSION and isinstance(signs, Mapping) and isinstance(learned_in, Mapping)
        if not readable or any(sign not in (1, -1) for sign in signs.values()):  # type: ignore[union-attr]
            raise LedgerError(
                "the sign convention that the destination holds cannot be read.",
                advice="It was written by another version of this provider, or by hand; restore it or remove it.",
            )
        return cls(dict(signs), dict(learned_in))  # type: ignore[arg-type]


def _model_name(signs: Iterable[tuple[str, int]]) -> str:
    telling = [(accno[:1], sign) for accno, sign in signs if accno[:1] in _MODELS["raw"]]
    if not telling:
        return "unknown"
    agreeing = {
        name: sum(model[digit] == sign for digit, sign in telling) / len(telling) for name, model in _MODELS.items()
    }
    best = max(agreeing, key=lambda name: agreeing[name])
    if agreeing[best] >= _SHARE:
        return best
    return "contradictory" if len(telling) >= _ENOUGH else "unknown"
