"""In which sign the service states balances: learned once per account from the data, kept, and never fitted again.

The interface does not document it. The sample suggests the natural sign (assets and expenses positive when debited,
the rest when credited), and the ledger code shows balances so, contra accounts turned once more. Postings are raw
(credit positive). Only the data can tell, so each account's sign is learned from the first proven window in which it
moved, and stored by the destination. A statement with the other sign later on is a break, not a new convention.

All signs together must fit one of three readings, natural, raw or debit positive, but for contra accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from airflow_provider_rma.exceptions import LedgerError
from airflow_provider_rma.ledger.proof.accounts import AccountKind, AccountKinds

#: What each reading says of an account, by first digit: +1 as in the postings, -1 turned. Classes 6 to 9 hold income
#: and expenses side by side, so their numbers carry no reading.
_READINGS: Mapping[str, Mapping[str, int]] = {
    "natural": {"1": -1, "2": 1, "3": 1, "4": -1, "5": -1},
    "raw": dict.fromkeys("12345", 1),
    "debit_positive": dict.fromkeys("12345", -1),
}
#: The natural reading turned. Postings are documented as debit negative, so it is none: either the postings or the
#: balances are turned, however many accounts agree on it.
_MIRRORED: Mapping[str, int] = {digit: -sign for digit, sign in _READINGS["natural"].items()}

#: Accounts that must have shown their sign before exceptions among them speak against a reading.
_ENOUGH = 4
#: Share of accounts that may be exceptions: contra accounts are turned once more in the natural reading only.
_EXCEPTIONS = {"natural": Decimal("0.5"), "raw": Decimal("0.25"), "debit_positive": Decimal("0.25")}

_VERSION = 1


@dataclass(frozen=True)
class SignConvention:
    """The sign of each account that has shown it: ``stated balance = sign × raw sum``.

    :param signs: account number to +1 (as in the postings) or -1 (turned).
    :param learned_in: account number to the month that showed it.
    :param accepted: residuals of the books that somebody has accepted, raw, as text.
    :param named: month to what vouchers that do not balance, and were named, leave in it, raw, as text.
    :param numbers: number of each account by its id at the service, as text.
    :param renumberings: accounts that got another number, oldest first: ``numbers`` (old to new), ``load_id`` of the
        run that found it, and ``is_done`` once no month holds an old number.
    :param direction: month in which an invoice has shown that postings are debit negative; empty if none had to.
    :param records: what was forgotten or accepted by command, oldest first.
    """

    signs: Mapping[str, int] = field(default_factory=dict)
    learned_in: Mapping[str, str] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    records: tuple[Mapping[str, Any], ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    renumberings: tuple[Mapping[str, Any], ...] = ()
    direction: str = ""

    def sign(self, accno: str) -> int | None:
        """Sign of an account, None as long as it has not moved in a proven window."""
        return self.signs.get(accno)

    def with_signs(self, signs: Mapping[str, int], month: str) -> SignConvention:
        """Add the signs that a month showed. Those that were known stay."""
        new = {accno: sign for accno, sign in signs.items() if accno not in self.signs}
        if not new:
            return self
        learned_in = {**self.learned_in, **dict.fromkeys(new, month)}
        return replace(self, signs={**self.signs, **new}, learned_in=learned_in)

    def without_signs(self, accnos: Iterable[str], record: Mapping[str, Any]) -> SignConvention:
        """Forget the signs of some accounts, or of all if none is named, and keep a record of it."""
        gone = set(accnos) or set(self.signs)
        known = {accno: sign for accno, sign in self.signs.items() if accno in gone}
        return replace(
            self,
            signs={accno: sign for accno, sign in self.signs.items() if accno not in gone},
            learned_in={accno: month for accno, month in self.learned_in.items() if accno not in gone},
            records=(*self.records, {**record, "forgotten": known}),
            direction=self.direction if self.signs.keys() - gone else "",
        )

    def with_accepted(self, residual: str, record: Mapping[str, Any]) -> SignConvention:
        """Accept a residual of the books, and keep a record of it."""
        accepted = tuple(sorted({*self.accepted, residual}))
        return replace(self, accepted=accepted, records=(*self.records, {**record, "accepted": residual}))

    def with_named(self, month: str, amount: Decimal) -> SignConvention:
        """Note what the unbalanced vouchers of a month leave; zero forgets the month."""
        others = {name: text for name, text in self.named.items() if name != month}
        return replace(self, named=others | ({month: str(amount)} if amount else {}))

    def with_numbers(self, numbers: Mapping[str, str], load_id: str) -> SignConvention:
        """Note the numbers of the accounts. An account that got another number takes its sign along.

        :param numbers: by id; ids that are not listed stay as they were.
        """
        noted = replace(self, numbers={**self.numbers, **numbers})
        moved = {self.numbers[key]: accno for key, accno in numbers.items() if self.numbers.get(key, accno) != accno}
        if not moved:
            return noted
        kept = {accno: moved.get(accno, accno) for accno in self.signs if accno in moved or accno not in moved.values()}
        return replace(
            noted,
            signs={new: self.signs[old] for old, new in kept.items()},
            learned_in={new: self.learned_in[old] for old, new in kept.items() if old in self.learned_in},
            renumberings=(*self.renumberings, {"load_id": load_id, "numbers": moved}),
        )

    @property
    def is_renumbering_open(self) -> bool:
        """Whether months may hold a number that an account has no more."""
        return any(not entry.get("is_done") for entry in self.renumberings)

    def renumbered_in(self, load_id: str) -> dict[str, str]:
        """Return the renumberings that a run found, or that were open before: new by old number."""
        entries = (entry for entry in self.renumberings if entry["load_id"] == load_id or not entry.get("is_done"))
        return {old: new for entry in entries for old, new in entry["numbers"].items()}

    def with_renumberings_done(self) -> SignConvention:
        """Note that no month holds an old number any more."""
        return replace(self, renumberings=tuple({**entry, "is_done": True} for entry in self.renumberings))

    def current_number(self, accno: str, load_id: str) -> str:
        """Return the number that an account has now.

        :param accno: its number when it was loaded.
        :param load_id: the load that wrote it.
        """
        for entry in self.renumberings:
            if entry["load_id"] > load_id:
                accno = entry["numbers"].get(accno, accno)
        return accno

    def explained_before(self, month: str) -> Decimal:
        """Sum what the vouchers leave that were named in the months before one."""
        return sum((Decimal(text) for name, text in self.named.items() if name < month), Decimal(0))

    def names(self, kinds: AccountKinds) -> dict[str, str]:
        """Name of the convention for balance-sheet and income-statement accounts: ``natural``, ``raw``,
        ``debit_positive``, ``unknown`` (nothing has moved yet), or ``contradictory``."""
        whole = self.reading()
        return {
            kind.value: _Evidence(self._signs_by_kind(kinds, kind), {}).name_beside(whole)
            for kind in (AccountKind.BALANCE_SHEET, AccountKind.INCOME_STATEMENT)
        }

    def reading(self, weights: Mapping[str, Decimal] | None = None) -> str:
        """Name of the reading of all accounts together, as in :meth:`names`.

        :param weights: amount by account; it decides where as many accounts speak for one reading as for another.
        """
        return _Evidence(self.signs.items(), weights or {}).name

    def contradiction(
        self, kinds: AccountKinds, weights: Mapping[str, Decimal] | None = None, known: SignConvention | None = None
    ) -> str:
        """Say why this cannot be a convention. Returns an empty text if it can.

        :param weights: amount by account, as for :meth:`reading`.
        :param known: the convention of before. Where its signs were enough to carry a reading, contra accounts that
            move for the first time cannot undo that, however many they have become.
        """
        weights = weights or {}
        whole = _Evidence(self.signs.items(), weights)
        if whole.is_mirrored:
            return (
                "balances and postings are mirror images of each other, though postings are documented as debit "
                "negative; no known convention (neither natural, nor raw, nor debit positive) fits"
            )
        if whole.is_undecided and not (self.direction and self._is_uniform()):
            return (
                "the signs fit a known convention and its mirror image alike, and no account of another class tells "
                "which it is"
            )
        for kind in (AccountKind.BALANCE_SHEET, AccountKind.INCOME_STATEMENT):
            is_known = known is not None and _Evidence(known._signs_by_kind(kinds, kind), {}).is_enough
            if not is_known and not _Evidence(self._signs_by_kind(kinds, kind), weights).carries(whole.name):
                return (
                    f"the signs in which balances of {kind.replace('_', '-')} accounts are stated follow no known "
                    "convention (neither natural, nor raw, nor debit positive)"
                )
        return ""

    def is_ambiguous(self, weights: Mapping[str, Decimal] | None = None) -> bool:
        """Whether the signs fit two readings alike, the mirror image of the natural one included."""
        return not self.direction and _Evidence(self.signs.items(), weights or {}).is_ambiguous

    def _is_uniform(self) -> bool:
        """Whether accounts of the classes 6 to 9 are stated as the others, if those are stated in one sign.

        Raw and debit positive are the same sign for every account, of whatever class.
        """
        others = [sign for accno, sign in self.signs.items() if accno[:1] not in _MIRRORED]
        own = {"raw": 1, "debit_positive": -1}.get(self.reading())
        return own is None or 2 * sum(sign == own for sign in others) >= len(others)

    def expected_sign(self, accno: str) -> int | None:
        """Sign that the reading of all accounts expects of one; class 6 is taken for expenses."""
        name = self.reading()
        if name not in _READINGS or accno[:1] not in "123456":
            return None
        reading = _READINGS[name]
        return reading.get(accno[:1], reading["5"])

    def deviations(self, kinds: AccountKinds) -> list[str]:
        """Accounts that are stated with another sign than the rest of their kind, as contra accounts are."""
        found = []
        for kind in (AccountKind.BALANCE_SHEET, AccountKind.INCOME_STATEMENT):
            signs = dict(self._signs_by_kind(kinds, kind))
            reading = _READINGS.get(_Evidence(signs.items(), {}).name)
            if reading:
                found += [accno for accno, sign in signs.items() if reading.get(accno[:1], sign) != sign]
        return sorted(found)

    def _signs_by_kind(self, kinds: AccountKinds, kind: AccountKind) -> list[tuple[str, int]]:
        return [(accno, sign) for accno, sign in self.signs.items() if kinds.kind(accno) is kind]

    def as_dict(self) -> dict[str, Any]:
        """Return the form that a destination keeps."""
        stored = {"version": _VERSION, "signs": dict(sorted(self.signs.items())), "learnt": dict(self.learned_in)}
        optional: dict[str, Any] = {
            "accepted": list(self.accepted),
            "records": [dict(record) for record in self.records],
        }
        optional |= {"named": dict(self.named), "numbers": dict(self.numbers)}
        optional["renumberings"] = [dict(entry) for entry in self.renumberings]
        optional["direction"] = self.direction
        return stored | {name: value for name, value in optional.items() if value}

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
        accepted, records = tuple(stored.get("accepted") or ()), tuple(stored.get("records") or ())
        learned: tuple[dict[str, int], dict[str, str]] = (dict(signs or {}), dict(learned_in or {}))
        named, numbers = dict(stored.get("named") or {}), dict(stored.get("numbers") or {})
        renumberings = tuple(stored.get("renumberings") or ())
        direction = str(stored.get("direction") or "")
        return cls(*learned, accepted, records, named, numbers, renumberings, direction)


class _Evidence:
    """How well signs fit each reading: by number of accounts, then by amount."""

    def __init__(self, signs: Iterable[tuple[str, int]], weights: Mapping[str, Decimal]) -> None:
        self._telling = [(accno, sign) for accno, sign in signs if accno[:1] in _MIRRORED]
        self._weights = weights

    @property
    def name(self) -> str:
        """The reading that fits best; ``unknown`` without evidence."""
        if not self._telling:
            return "unknown"
        return "contradictory" if self.is_mirrored else self._best()

    def name_beside(self, whole: str) -> str:
        """The reading that fits best; of several, that of all accounts together."""
        reading = _READINGS.get(whole)
        if self._telling and reading and self._agreement(reading) == self._agreement(_READINGS[self._best()]):
            return whole if not self.is_mirrored else "contradictory"
        return self.name

    @property
    def is_mirrored(self) -> bool:
        """Whether the natural reading turned fits better than each of the three."""
        return bool(self._telling) and self._agreement(_MIRRORED) > self._agreement(_READINGS[self._best()])

    @property
    def is_undecided(self) -> bool:
        """Whether it fits as well as the best of the three."""
        return bool(self._telling) and self._agreement(_MIRRORED) == self._agreement(_READINGS[self._best()])

    @property
    def is_ambiguous(self) -> bool:
        """Whether several of the three fit best, or it as well."""
        if not self._telling:
            return False
        fits = [self._agreement(reading) for reading in (*_READINGS.values(), _MIRRORED)]
        return fits.count(max(fits)) > 1

    @property
    def is_enough(self) -> bool:
        """Whether so many accounts have shown their sign that exceptions speak against a reading."""
        return len(self._telling) >= _ENOUGH

    def carries(self, name: str) -> bool:
        """Whether the exceptions to a reading are few enough."""
        if not self.is_enough or name not in _READINGS:
            return True
        plain, amount = self._agreement(_READINGS[name])
        exceptions = len(self._telling) - plain
        if name == "natural" and plain == exceptions:
            return 2 * amount >= self._amount(self._telling)
        return exceptions <= _EXCEPTIONS[name] * len(self._telling)

    def _best(self) -> str:
        return max(_READINGS, key=lambda name: self._agreement(_READINGS[name]))

    def _agreement(self, reading: Mapping[str, int]) -> tuple[int, Decimal]:
        agreeing = [(accno, sign) for accno, sign in self._telling if reading[accno[:1]] == sign]
        return len(agreeing), self._amount(agreeing)

    def _amount(self, signs: Iterable[tuple[str, int]]) -> Decimal:
        return sum((self._weights.get(accno, Decimal(0)) for accno, _ in signs), Decimal(0))
