"""Text fields: limits, characters the wire cannot carry, keys, account numbers, fixed choices."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, missing

from airflow_provider_rma.schemas.fields import RmaField, is_empty_text, to_integer
from airflow_provider_rma.schemas.keys import SPREADSHEET, find_number_problem, is_written_by_spreadsheet
from airflow_provider_rma.schemas.mapped import scalar_text
from airflow_provider_rma.schemas.problems import Problem, validation_error, wrong_type_error

# Control characters, lone surrogates and the two code points that XML 1.0 excludes beside them.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_FORBIDDEN_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LINE_END = re.compile("\r\n?")
_ACCOUNT = re.compile(r"[0-9A-Za-z._-]*")
#: Whole numbers from here on are no text of any field.
_MOST = 10**40


def parse_user_text(value: Any) -> str:
    """Text from a user: a string, or a whole number (a postcode or an account number often is one).

    :raises ValidationError: for anything else; a float has lost its text already.
    """
    if isinstance(value, str):
        return str.__str__(value)
    number = to_integer(value)
    if number is None and isinstance(value, Decimal) and value.is_finite() and value.as_tuple().exponent == 0:
        number = int(value)
    if number is None:
        raise wrong_type_error(value, "text", "give it as a string")
    if abs(number) >= _MOST:
        raise validation_error("has too many digits", "correct the value")
    return str(number)


def parse_user_number(value: Any) -> str:
    """Text of a number that names something, from a user: like :func:`parse_user_text`, and of a numeric column the
    plain digits, whether it holds integers, decimals or floats.

    :raises ValidationError: for anything else, a float beyond 2**53 included: its last digits are lost.
    """
    if (
        isinstance(value, Decimal)
        and value.is_finite()
        and value.adjusted() < 40
        and value == value.to_integral_value()
    ):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= 2**53:
            raise validation_error("is a float too large to be exact", "give it as a string or an int")
        return str(int(value))
    return parse_user_text(value)


class Text(RmaField):
    """TEXT or TEXT(n).

    :param limit: most characters RMA takes, None if no limit is documented.
    :param multiline: line breaks and tabs are allowed; ``\\r\\n`` and ``\\r`` become ``\\n``, as XML would make them.
    """

    kind = "text"

    def __init__(self, limit: int | None = None, *, multiline: bool = False, **kwargs: Any) -> None:
        super().__init__(max_length=limit, multiline=multiline, **kwargs)
        self.limit = limit
        self.multiline = multiline

    def read_user(self, value: Any) -> Any:
        text = self.parse(value)
        if self.multiline and "\r" in text:
            text = _LINE_END.sub("\n", text)
        problems = list(self.find_problems(text))
        if problems:
            raise ValidationError(problems)
        return text

    def parse(self, value: Any) -> str:
        """Take a user's value as text."""
        return parse_user_text(value)

    def find_problems(self, text: str) -> Iterable[Problem]:
        """Find everything that forbids to send this text."""
        if self.required and not text.strip():
            yield Problem("is empty", "give a value, the field is required")
        if self.limit is not None and len(text) > self.limit:
            yield Problem(f"{len(text)} characters, RMA takes at most {self.limit}", f"shorten it to {self.limit}")
        found = (_FORBIDDEN_IN_LINES if self.multiline else _FORBIDDEN).search(text)
        if found:
            yield self._character_problem(found)

    @staticmethod
    def _character_problem(found: re.Match[str]) -> Problem:
        code = ord(found[0])
        if found[0] in "\n\r\t":
            return Problem("contains a line break or tab", "put it into one line")
        if 0xD800 <= code <= 0xDFFF:
            what, remedy = "half a character (a lone surrogate)", "decode the source with the right encoding"
        elif code >= 0xFFFE:
            what, remedy = "a character that XML cannot carry", "remove it"
        else:
            what, remedy = "a control character", "remove it"
        return Problem(f"contains {what}, U+{code:04X} at position {found.start() + 1}", remedy)

    def read_wire(self, value: Any) -> str | None:
        return None if value is None else scalar_text(value)

    def write_wire(self, value: Any) -> str:
        return str(value)


class Identifier(Text):
    """A number that identifies a record (invoice, customer, article) and stands in a path: never empty, no blanks
    around it, no invisible characters, no dot segments, not as a spreadsheet writes it. Letters count: such numbers are
    text. How numbers are compared is in :mod:`airflow_provider_rma.schemas.keys`."""

    kind = "key"

    def parse(self, value: Any) -> str:
        return parse_user_number(value)

    def read_user(self, value: Any) -> Any:
        return missing if is_empty_text(value) and not self.required else super().read_user(value)

    def find_problems(self, text: str) -> Iterable[Problem]:
        if not text:
            yield Problem("is empty", "give a number")
        elif self.limit is not None and len(text) > self.limit:
            yield from super().find_problems(text[: self.limit + 1] if len(text) > 10_000 else text)
        elif text != text.strip():
            yield Problem("begins or ends with a blank", "remove the blanks around it")
        else:
            problem = find_number_problem(text)
            if problem is not None:
                yield problem


class AccountNumber(Text):
    """Number of an account. Empty means RMA's default, where the field is optional (seen in clients).

    :param kwargs: see :class:`Text`; the limit is 32 characters (documented for customers).
    """

    kind = "account number"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(32, **kwargs)

    def parse(self, value: Any) -> str:
        return parse_user_number(value)

    def find_problems(self, text: str) -> Iterable[Problem]:
        yield from super().find_problems(text)
        if is_written_by_spreadsheet(text):
            yield SPREADSHEET
        elif text.strip() and not _ACCOUNT.fullmatch(text):
            yield Problem("is not an account number", "use letters, digits, '.', '_' and '-' only")


class AccountNumbers(Text):
    """Several account numbers, separated by blanks on the wire; a user may give a list."""

    kind = "account numbers"

    def read_user(self, value: Any) -> Any:
        items = value if isinstance(value, list | tuple) else [value]
        numbers = " ".join(parse_user_number(item) for item in items).split()
        if any(map(is_written_by_spreadsheet, numbers)):
            raise ValidationError([SPREADSHEET])
        if not all(_ACCOUNT.fullmatch(number) for number in numbers):
            raise validation_error("holds something that is not an account number", "give a list of account numbers")
        return " ".join(numbers)


class Choice(Text):
    """One of a few documented words. On read any word is kept: new ones may appear.

    :param choices: the documented words.
    """

    kind = "choice"

    def __init__(self, *choices: str, **kwargs: Any) -> None:
        super().__init__(choices=choices, **kwargs)
        self.choices = choices

    def read_user(self, value: Any) -> Any:
        if is_empty_text(value):
            return missing
        if not isinstance(value, str) or value not in self.choices:
            raise validation_error(f"is not one of {', '.join(self.choices)}", "use one of these words")
        return str.__str__(value)


class Currency(Text):
    """Currency code of three capital letters (documented as TEXT(3))."""

    kind = "currency"
    _CODE = re.compile("[A-Z]{3}")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(3, **kwargs)

    def read_user(self, value: Any) -> Any:
        if is_empty_text(value):
            return missing
        if not isinstance(value, str) or not self._CODE.fullmatch(value):
            raise validation_error("is not a currency code", "give three capital letters, e.g. CHF")
        return str.__str__(value)
