"""Plans on file: what a run would do, for a person to read and for a later run to carry out exactly.

A plan is NDJSON: a header, then one line for each record with the decision about it, its reasons and the document as it
would be sent. It holds names and texts of invoices, so it is a file of the tenant like outcome files.

A file can be changed between planning and carrying out. The reader takes no line on trust: it is what the writer would
write, or the plan is refused as a whole. The rules of the run that carries it out are another matter: they hold for
each document by itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import IO, Any, Generic

import pendulum

from airflow_provider_rma.billing.kinds.base import D, DocumentKind
from airflow_provider_rma.billing.outcomes import CREATE, DocumentResult, Outcome, plain
from airflow_provider_rma.billing.working_set import DecidedRecord, PlannedDecision, WorkingSet
from airflow_provider_rma.exceptions import ConfigurationError, InvalidInputError
from airflow_provider_rma.formatting import format_amount

VERSION = 1

_DIGEST = re.compile(r"[0-9a-f]{64}")
_AMOUNT = re.compile(r"-?[0-9]+\.[0-9]{2}")
_DECISIONS = frozenset({CREATE, *map(str, Outcome)})
#: Decisions about a record of which no document can be made.
_WITHOUT_DOCUMENT = frozenset({str(Outcome.INVALID), str(Outcome.HELD)})


@dataclass
class PlanHeader:
    """What a plan is about.

    :param service: address of the service.
    :param counts: records by decision.
    :param amount: sum of the amounts (without sign) of what would be sent, in CHF as far as it can be known.
    :param closed_until: last day of the closed period as far as it is known (inclusive), empty if it is not.
    :param input_hash: SHA-256 over the records, in the order of the input.
    :param created_at: when the books were read, UTC.
    :param customers: customers whom full records in invoices would create or overwrite, by names of fields.
    """

    tenant: str
    service: str
    run: str
    input_hash: str
    closed_until: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    amount: str = "0.00"
    created_at: str = ""
    customers: list[dict[str, Any]] = field(default_factory=list)
    plan: int = VERSION


class PlanWriter(Generic[D]):
    """Writes a plan, filling counts and amount of its header.

    :param stream: the file.
    """

    def __init__(self, stream: IO[bytes], header: PlanHeader, working_set: WorkingSet[D]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._header = header
        self._working_set = working_set

    def write(self) -> Iterator[dict[str, Any]]:
        """Write header and lines.

        :returns: each line without its record, once it is written.
        """
        header, working_set = self._header, self._working_set
        header.counts = plain(working_set.count_decisions())
        header.amount = f"{working_set.measure()[1]:.2f}"
        header.customers = list(working_set.customer_effects())
        header.created_at = pendulum.now("UTC").to_iso8601_string()
        self._write(_to_json(vars(header)))
        for decided in working_set.decided():
            line = _describe(decided)
            # The record is JSON already.
            self._write(f'{_to_json(line)[:-1]}, "record": {decided.source}}}')
            yield line

    @property
    def digest(self) -> str:
        """SHA-256 of everything written."""
        return self._hash.hexdigest()

    def _write(self, text: str) -> None:
        data = text.encode() + b"\n"
        self._hash.update(data)
        self._stream.write(data)


def _describe(decided: DecidedRecord[Any]) -> dict[str, Any]:
    """Return the line of a plan, without its record."""
    document, result = decided.document, decided.result
    totals = result or (document.totals if document else None)
    return {
        "position": decided.position,
        "number": decided.number,
        "decision": CREATE if result is None else str(result.outcome),
        "reasons": [] if result is None else list(result.reasons),
        "net": _text(totals.net if totals else None),
        "gross": _text(totals.gross if totals else None),
        "currency": document.currency if document else None,
        "transdate": document.booking_date.isoformat() if document and document.booking_date else None,
        "customernumber": document.customernumber if document else None,
        "document": document.to_json() if document else None,
    }


@dataclass
class PlanReader:
    """Reads a plan, and knows its hash at the end.

    :param stream: the file.
    :raises ConfigurationError: if it is no plan, one of another version, or damaged.
    """

    stream: Iterable[bytes]

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()
        self._lines = iter(self.stream)
        values = self._next("header")
        if not values or values.get("plan") != VERSION or isinstance(values["plan"], bool):
            raise ConfigurationError("plan: the file is no plan of this version", advice="Plan again.")
        _check_members(values, _HEADER, "header")
        self.header = PlanHeader(**values)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Read the lines after the header, in the order of the input.

        :raises ConfigurationError: for a line that the writer would not have written there.
        """
        counts = Counter[str]()
        while (values := self._next(where := f"record {counts.total() + 1}")) is not None:
            _check_members(values, _LINE, where)
            _check_line(values, where, counts.total() + 1)
            counts[values["decision"]] += 1
            yield values
        if counts.total() != sum(self.header.counts.values()):
            raise damage_error(
                f"the file has {counts.total()} records, its header says {sum(self.header.counts.values())}"
            )
        if plain(counts) != plain(self.header.counts):
            raise damage_error(f"the records say {plain(counts)}, its header says {plain(self.header.counts)}")

    @property
    def digest(self) -> str:
        """SHA-256 of what was read."""
        return self._hash.hexdigest()

    def _next(self, where: str) -> dict[str, Any] | None:
        """Read a line; None behind the last one."""
        line = next(self._lines, None)
        if line is None:
            return None
        self._hash.update(line)
        try:
            values = json.loads(line.decode("utf-8"), object_pairs_hook=_to_object)
        except (ValueError, RecursionError) as error:
            raise damage_error(f"{where} cannot be read") from error
        if type(values) is not dict or not line.endswith(b"\n"):
            raise damage_error(f"{where} is cut off, or is not an object with each member once")
        return values


def check_digest(plan_hash: object) -> str:
    """Refuse a hash that is none.

    :raises ConfigurationError: if it is not a SHA-256 in hexadecimal digits.
    """
    if isinstance(plan_hash, str) and _DIGEST.fullmatch(plan_hash):
        return plan_hash
    raise ConfigurationError(
        f"plan_hash must be a SHA-256 in 64 hexadecimal digits, got {str(plan_hash)[:80]!r}",
        advice="Take it from the task that made or approved the plan; if that left none, plan again.",
    )


def load_plan(kind: DocumentKind[D], working_set: WorkingSet[D], reader: PlanReader) -> None:
    """Put the documents of a plan into a working set, each with the decision of the plan about it.

    Each is validated again, by the rules of ``kind``: these may be stricter than those that the plan was made with. A
    document that they refuse is ``invalid``, the others proceed.

    :raises ConfigurationError: if the plan is not as it was written.
    """
    amount = Decimal(0)
    for line in reader.lines():
        planned = PlannedDecision(line["decision"], tuple(line["reasons"]))
        document, result = _read_document(kind, line)
        if document is not None and planned.decision == CREATE:
            amount += abs(document.totals.amount or Decimal(0))
        if result is not None:
            working_set.add_result(result, line["record"], planned=planned)
        elif document is not None:
            working_set.add(document, line["record"], planned=planned)
    if reader.header.amount != f"{amount:.2f}":
        raise damage_error(f"the records add up to CHF {format_amount(amount)}, its header says {reader.header.amount}")


def _read_document(kind: DocumentKind[D], line: Mapping[str, Any]) -> tuple[D | None, DocumentResult | None]:
    """Read the document of a line, and judge it.

    :returns: the document, None if there is none; and its result, None if it may be sent.
    """
    position, number, values = line["position"], line["number"], line["document"]
    if values is None:
        return None, DocumentResult(position, number, Outcome(line["decision"]), tuple(line["reasons"]))
    try:
        document = kind.from_json(position, values)
        is_same = document.to_json() == values and document.number == number
        is_same = is_same and (line["decision"] != CREATE or _describe_sent(document) == _without_record(line))
    except Exception as error:
        # A document may have any shape here.
        raise damage_error(f"the document of record {position} cannot be read") from error
    if not is_same:
        raise damage_error(f"record {position} is about another document than it holds")
    try:
        judged = kind.read(document.to_record(), position)
    except InvalidInputError as error:
        return document, DocumentResult(position, number, Outcome.INVALID, tuple(map(str, error.problems)))
    if judged.to_json() != values:
        raise damage_error(f"the document of record {position} is not as it was written")
    return judged, None


def _describe_sent(document: D) -> dict[str, Any]:
    return _describe(DecidedRecord(document.position, document.number, "", document, None))


def _without_record(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "record"}


def damage_error(how: str) -> ConfigurationError:
    """Return the error of a plan that is not as it was written."""
    return ConfigurationError(f"plan: {how}; the file is damaged or was changed", advice="Plan again.")


class _Repeated(dict[str, Any]):
    """An object of JSON that has a member twice."""


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    return values if len(values) == len(pairs) else _Repeated(values)


def _is_text(value: object) -> bool:
    """Whether it is text that can be encoded: JSON may spell half a character."""
    try:
        return isinstance(value, str) and (value.isascii() or bool(value.encode()))
    except UnicodeEncodeError:
        return False


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_amount(value: object) -> bool:
    return isinstance(value, str) and _AMOUNT.fullmatch(value) is not None


def _is_day(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_tree(value: object) -> bool:
    """Whether it is text, or lists and objects of text without a member twice: the mapped form of a document."""
    if type(value) is dict:
        return all(_is_text(name) and _is_tree(inner) for name, inner in value.items())
    return all(map(_is_tree, value)) if type(value) is list else value is None or _is_text(value)


def _is_list_of(is_right: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: type(value) is list and all(map(is_right, value))


def _is_none_or(is_right: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or is_right(value)


#: Members that a header and a line have, each with the check of its type. No others are known.
_HEADER: Mapping[str, Callable[[object], bool]] = {
    "tenant": _is_text,
    "service": _is_text,
    "run": _is_text,
    "input_hash": _is_text,
    "closed_until": lambda value: value == "" or _is_day(value),
    "counts": lambda value: (
        type(value) is dict and _DECISIONS.issuperset(value) and all(map(_is_count, value.values()))
    ),
    "amount": _is_amount,
    "created_at": _is_text,
    "customers": _is_list_of(lambda value: type(value) is dict and _is_tree(value)),
    "plan": _is_count,
}
_LINE: Mapping[str, Callable[[object], bool]] = {
    "position": _is_count,
    "number": _is_text,
    "decision": lambda value: isinstance(value, str) and value in _DECISIONS,
    "reasons": _is_list_of(_is_text),
    "net": _is_none_or(_is_amount),
    "gross": _is_none_or(_is_amount),
    "currency": _is_none_or(_is_text),
    "transdate": _is_none_or(_is_day),
    "customernumber": _is_none_or(_is_text),
    "document": _is_none_or(lambda value: type(value) is dict and _is_tree(value)),
    "record": lambda value: True,
}


def _check_members(values: Mapping[str, Any], checks: Mapping[str, Callable[[object], bool]], where: str) -> None:
    for name, is_right in checks.items():
        if name not in values:
            raise damage_error(f"{where} lacks {name}")
        if not is_right(values[name]):
            raise damage_error(f"{where} has another {name} than plans have")
    if len(values) != len(checks):
        raise damage_error(f"{where} has members that plans do not have")


def _check_line(line: Mapping[str, Any], where: str, position: int) -> None:
    if line["position"] != position:
        raise damage_error(f"{where} says that it is record {line['position']}")
    if line["decision"] == CREATE and line["reasons"]:
        raise damage_error(f"{where} is to be sent and has reasons against it")
    if line["document"] is None and line["decision"] not in _WITHOUT_DOCUMENT:
        raise damage_error(f"{where} lacks its document")


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
