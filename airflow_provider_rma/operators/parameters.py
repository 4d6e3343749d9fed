"""Checks of the parameters of operators: one table, applied when a DAG is parsed.

A parameter is checked where an operator's ``__init__`` or ``partial`` receives it. The value of a template field that
is still to be rendered is checked at run time, by the same table, and so is what mapping expands.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_rma.billing.outcomes import Outcome
from airflow_provider_rma.billing.records.parameters import check_encoding
from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger.destinations.address import refuse_credentials
from airflow_provider_rma.ledger.proof.accounts import AccountKinds
from airflow_provider_rma.ledger.windows import parse_day, parse_instant, parse_stop_at
from airflow_provider_rma.schemas.currencies import CURRENCIES
from airflow_provider_rma.schemas.date_range import DateRange
from airflow_provider_rma.schemas.notation import NUMBER_FORMATS, Notation

Check = Callable[[Any], bool]

#: Longest time that a service may need to carry out a request, in seconds: a week.
MAX_SETTLE_TIME = 604_800
#: Days that a ledger may be read back: a century.
MAX_REREAD_DAYS = 36_525

#: Fields of a customer that may be managed; a test compares them with the schema, which is too heavy to be imported.
_MANAGEABLE = """
address1 address2 arap_accno bank_address1 bank_address2 bank_bic bank_city bank_country bank_iban bank_name
bank_state bank_zipcode bcc cc city country email ended fax firstname gender language_code lastname mobile name
notes payment_accno phone remittancevoucher salutation state tax_accnos taxfree taxnumber terms typeofcontact
zipcode
"""
MANAGEABLE_FIELDS = frozenset(_MANAGEABLE.split())

_PLAIN_AMOUNT = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: What a template makes of a value that is missing.
_NOTHING = ("", "None")


@dataclass(frozen=True)
class Parameter:
    """A rule for the values of a parameter.

    :param check: whether a value is right.
    :param must: what it must be, in words.
    :param advice: what to do about a value that is not.
    """

    check: Check
    must: str
    advice: str


class CheckedMixin:
    """Mixin of an operator whose parameters are checked also where it is mapped.

    Airflow then makes no operator when it parses the DAG.
    """

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Begin a mapped task, with parameters that all its instances share.

        :raises ConfigurationError: see :func:`check_parameters`.
        """
        check_parameters(cls, **{name: value for name, value in kwargs.items() if name in PARAMETERS})
        return super().partial(**kwargs)  # type: ignore[misc]


#: Beginnings of addresses in which nothing may stand before the host; others may name an Airflow connection there.
_DATABASES = ("conn://", "mariadb", "mssql", "mysql", "oracle", "postgres")
#: Parameters that name a file or a folder on any storage.
_STORED = frozenset({"customer_outcomes", "output_path", "plan", "source"})


def check_parameters(operator: Any, **given: Any) -> None:
    """Check parameters that an operator receives, but for template fields that are still to be rendered.

    :raises ConfigurationError: for a value that is not right; it names parameter, value and remedy.
    """
    for name, value in given.items():
        # Also before it is rendered: Airflow shows it as it is in the DAG, too.
        _refuse_credentials(name, value)
        if name not in operator.template_fields or not is_unrendered(value):
            _check_of(operator, name, value)


def check_period(first: Any, last: Any) -> None:
    """Refuse a period that ends before it begins, of days that are checked and rendered.

    :raises ConfigurationError: see :func:`check_parameters`.
    """
    if is_unrendered(first) or is_unrendered(last):
        return
    from_date, to_date = parse_day(first, "from_date"), parse_day(last, "to_date")
    if from_date and to_date and to_date < from_date:
        raise ConfigurationError(
            f"from_date {from_date} lies after to_date {to_date}",
            advice="Give the first and the last day of the period, both inclusive.",
        )


def check_rendered(operator: Any) -> None:
    """Check the template fields of an operator once they are rendered.

    :raises ConfigurationError: see :func:`check_parameters`.
    """
    for name in operator.template_fields:
        if name in PARAMETERS:
            _refuse_credentials(name, getattr(operator, name))
            _check_of(operator, name, getattr(operator, name))


def _refuse_credentials(name: str, value: Any) -> None:
    """Refuse an address that holds credentials: messages, logs and Airflow's pages name it as it is."""
    if not isinstance(value, str):
        return
    if name == "destination":
        refuse_credentials(value, is_database=value.startswith(_DATABASES))
    elif name in _STORED and "://" in value:
        refuse_credentials(value, is_database=False, name=name)


def _check_of(operator: Any, name: str, value: Any) -> None:
    # Some operators need what others can do without.
    if value is not None or name not in getattr(operator, "optional_parameters", ()):
        check_parameter(name, value)


def check_parameter(name: str, value: Any) -> None:
    """Check a value.

    :raises ConfigurationError: see :func:`check_parameters`.
    """
    parameter, is_right = PARAMETERS[name], False
    # A user's object may raise anything when it is looked at.
    with suppress(Exception):
        is_right = parameter.check(value)
    if not is_right:
        raise ConfigurationError(f"{name} must be {parameter.must}, got {_describe(value)}", advice=parameter.advice)


def is_unrendered(value: Any) -> bool:
    """Whether Airflow will render a value, or take it from another task."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(map(is_unrendered, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(is_unrendered, value))
    return hasattr(value, "resolve") and not isinstance(value, os.PathLike)


def _describe(value: Any) -> str:
    text = ""
    with suppress(Exception):
        text = repr(value)
    return text if 0 < len(text) <= 80 else f"{text[:60]}… ({type(value).__name__})"


# ---------------------------------------------------------------------- checks


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() == value and value not in _NOTHING and value.isprintable()


def _is_path(value: Any) -> bool:
    return _is_text(value) or isinstance(value, os.PathLike) or bool(hasattr(value, "as_uri") and str(value))


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_amount(value: Any) -> bool:
    if isinstance(value, str):
        return _PLAIN_AMOUNT.fullmatch(value) is not None
    if isinstance(value, Decimal):
        return value.is_finite() and value >= 0
    return _is_number(value)


def _is_none_or(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _is_blank_or(check: Check) -> Check:
    return lambda value: value is None or (isinstance(value, str) and value.strip() in _NOTHING) or check(value)


def _is_word(*words: str) -> Check:
    return lambda value: isinstance(value, str) and value in words


def _is_some(words: frozenset[str]) -> Check:
    """Whether a value is one of some words, or a list of them."""

    def check(value: Any) -> bool:
        names = [value] if isinstance(value, str) else value
        return isinstance(names, list | tuple | set | frozenset) and all(
            isinstance(name, str) and name in words for name in names
        )

    return check


def _is_read_by(read: Callable[[Any], Any], *types: type) -> Check:
    """Whether a value is of one of some types, and a function reads it."""

    def check(value: Any) -> bool:
        if not isinstance(value, types) or isinstance(value, bool):
            return False
        read(value)
        return True

    return check


def _is_plain_day(value: Any) -> bool:
    if isinstance(value, str):
        return date.fromisoformat(value).isoformat() == value
    return isinstance(value, date) and not isinstance(value, datetime)


def _is_number_list(value: Any) -> bool:
    """Whether a value names invoices: one, or a list; a row of a query is a list of one."""
    if isinstance(value, str):
        return value.isprintable() and value.strip() not in _NOTHING
    if isinstance(value, int):
        return _is_count(value)
    if isinstance(value, list | tuple):
        return len(value) > 0 and all(map(_is_number_row, value))
    # What another task has returned may be read page by page: its members are checked where they are read.
    return not isinstance(value, Mapping | bytes) and iter(value) is not None


def _is_number_row(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) == 1 and not isinstance(value[0], list | tuple) and _is_number_list(value[0])
    return isinstance(value, str | int) and _is_number_list(value)


def _is_suffix(value: Any) -> bool:
    return _is_text(value) and len(value) < 64


def _is_query_values(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str | bytes))


# ---------------------------------------------------------------------- the table


_CONNECTION = Parameter(_is_text, "the id of an Airflow connection", "Give the connection's id.")
_OPTIONAL_CONNECTION = Parameter(
    _is_none_or(_is_text), "the id of an Airflow connection, or None", "Give the connection's id, or leave it out."
)
_SWITCH = Parameter(_is_bool, "True or False", "Use one of them, without quotes.")
_PATH = Parameter(
    _is_none_or(_is_path), "a path or a URL", "Give a path, a URL such as s3://bucket/key, or leave it out."
)
_TEXT = Parameter(_is_none_or(lambda value: isinstance(value, str)), "text", "Give text, or leave it out.")
_COUNT = "an integer ≥ 0"
_DAY = Parameter(
    _is_blank_or(_is_read_by(lambda value: parse_day(value, ""), str, date)),
    "a calendar day, or None",
    "Give a date, or text such as 2026-08-31, without a time of day.",
)

PARAMETERS: Mapping[str, Parameter] = {
    # connections, files, queries
    "rma_conn_id": _CONNECTION,
    "sql_conn_id": _CONNECTION,
    "source_conn_id": _OPTIONAL_CONNECTION,
    "destination_conn_id": _OPTIONAL_CONNECTION,
    "source": _PATH,
    "customer_outcomes": _PATH,
    "output_path": Parameter(lambda value: value == "" or _PATH.check(value), _PATH.must, _PATH.advice),
    "destination": Parameter(
        _is_path, "the address of a warehouse", "Give e.g. duckdb:////data/ledger.duckdb, a folder, or conn://ID."
    ),
    "sql": Parameter(
        lambda value: isinstance(value, str) and bool(value.strip()),
        "a query, or the path of a .sql file",
        "Give SQL as text.",
    ),
    "parameters": Parameter(
        _is_none_or(_is_query_values), "the values of a query, as a mapping or a list", "Give a dict or a list."
    ),
    # how records are written
    "encoding": Parameter(
        _is_none_or(_is_read_by(check_encoding, str)),
        "the name of an encoding",
        "Give a name such as utf-8, windows-1252 or utf-16-le.",
    ),
    "number_format": Parameter(
        _is_none_or(_is_word(*NUMBER_FORMATS)),
        f"one of {', '.join(NUMBER_FORMATS)}",
        "Use one of these, or leave it out for 1234.50.",
    ),
    "date_format": Parameter(
        _is_none_or(_is_read_by(lambda value: Notation(date_format=value), str)),
        "day, month and year with four digits",
        "Write e.g. DD.MM.YYYY, D.M.YYYY, MM/DD/YYYY or YYYYMMDD, or leave it out for YYYY-MM-DD.",
    ),
    "input_timezone": Parameter(
        _is_none_or(_is_read_by(ZoneInfo, str)),
        "a time zone",
        "Use a name of the IANA time zone database, e.g. Europe/Zurich.",
    ),
    "date_range": Parameter(
        _is_none_or(_is_read_by(DateRange.parse, list, tuple, DateRange)),
        "two days from 1900-01-01 to 2999-12-31, the first not after the last",
        "Give the first and the last day that a document may have, each a date or text such as 2026-08-31.",
    ),
    "min_count": Parameter(_is_count, _COUNT, "Give the fewest records to be expected."),
    # sending
    "settle_time": Parameter(
        lambda value: _is_number(value) and value <= MAX_SETTLE_TIME,
        f"a number of seconds from 0 to {MAX_SETTLE_TIME}",
        "Give how long RMA may take after a lost reply, e.g. 300.",
    ),
    "content_type": Parameter(_is_none_or(_is_word("json", "xml")), "json or xml", "Use one of them, or leave it out."),
    "fail_on": Parameter(
        _is_none_or(_is_some(frozenset(map(str, Outcome)))),
        "outcomes",
        f"Use some of {', '.join(sorted(Outcome))}, or leave it out.",
    ),
    "managed_fields": Parameter(
        _is_some(MANAGEABLE_FIELDS), "fields of a customer", f"Use some of {', '.join(sorted(MANAGEABLE_FIELDS))}."
    ),
    "send_customers": _SWITCH,
    "allow_currency": Parameter(
        _is_some(CURRENCIES), "currency codes (ISO 4217)", "Give three capital letters each, e.g. EUR."
    ),
    "max_count": Parameter(_is_count, _COUNT, "Give the most documents that one run may send."),
    "max_amount": Parameter(_is_amount, "an amount ≥ 0", "Give CHF as a number or as text such as 25000.00."),
    "check_master_data": _SWITCH,
    "absence_check": Parameter(_is_word("full_list", "by_number"), "full_list or by_number", "Use one of them."),
    "write_recovery_tag": _SWITCH,
    # plans
    "plan": Parameter(
        _is_none_or(_is_path),
        "the path of a plan",
        "Take it from the task that made or approved the plan; or plan again.",
    ),
    "plan_hash": Parameter(
        _is_none_or(lambda value: isinstance(value, str) and _DIGEST.fullmatch(value) is not None),
        "a SHA-256 in 64 hexadecimal digits",
        "Take it from the task that made or approved the plan; if that left none, plan again.",
    ),
    "approver": Parameter(
        _is_none_or(lambda value: isinstance(value, str)),
        "the name of a person",
        "Take it from the task that approved.",
    ),
    "subject": _TEXT,
    "body": _TEXT,
    # cancelling
    "numbers": Parameter(_is_number_list, "numbers of invoices", "Give one as text, or a list that is not empty."),
    "suffix": Parameter(
        _is_suffix, "text without blanks at its ends, of less than 64 characters", "Give a suffix such as -S."
    ),
    "transdate": Parameter(
        lambda value: value is None or value == "" or _is_plain_day(value),
        "a date",
        "Write it as year-month-day, such as 2026-03-31, or leave it out for the date of each original.",
    ),
    "reason": _TEXT,
    # the ledger
    "from_date": _DAY,
    "to_date": _DAY,
    "reread_days": Parameter(
        lambda value: _is_count(value) and value <= MAX_REREAD_DAYS,
        f"an integer from 0 to {MAX_REREAD_DAYS}",
        "Give a number of days.",
    ),
    "on_unproven": Parameter(_is_word("fail", "keep"), "fail or keep", "Use fail (default) or keep."),
    "tolerance": Parameter(_is_amount, "an amount ≥ 0", "Give CHF, e.g. 0.01."),
    "account_kinds": Parameter(
        _is_none_or(_is_read_by(AccountKinds, Mapping)),
        "a mapping of account numbers or patterns to balance_sheet, income_statement or closing",
        "Give e.g. {'79xx': 'balance_sheet'}.",
    ),
    "skip_unchanged": _SWITCH,
    "max_chain_months": Parameter(_is_count, _COUNT, "Give a number of months."),
    "history": _SWITCH,
    "resume_since": Parameter(
        _is_blank_or(_is_read_by(lambda value: parse_instant(value, ""), str, date)),
        "a day or a time in ISO 8601, or None",
        "Give e.g. 2026-08-31 or 2026-08-31T06:00+02:00.",
    ),
    "stop_at": Parameter(
        _is_blank_or(_is_read_by(lambda value: parse_stop_at(value, datetime.now(UTC)), str, date)),
        "a time of day in Zurich, or a time in ISO 8601",
        "Give e.g. 06:00 or 2026-08-31T06:00.",
    ),
}
