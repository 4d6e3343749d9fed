"""How a source writes amounts and dates as text, if not as RMA does. Declared by an example, never guessed.

``1'234.50`` says that groups of three digits may be set off by an apostrophe, and that a point comes before the
decimals. A text that does not fit is refused: it is never read in another way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_rma.exceptions import ConfigurationError

# Apostrophes and blanks have several shapes in exports: as typed, typographic, as an accent or a prime; no-break, thin
# and of the width of a digit.
_APOSTROPHES = "'\u2018\u2019\u02bc\u2032\u00b4`"
_BLANKS = " \u00a0\u202f\u2009\u2007"

#: Amounts by example: the characters that may set off groups, and the decimal mark.
NUMBER_FORMATS: Mapping[str, tuple[str, str]] = {
    "1'234.50": (_APOSTROPHES, "."),
    "1.234,50": (".", ","),
    "1 234,50": (_BLANKS, ","),
    "1 234.50": (_BLANKS, "."),
    "1,234.50": (",", "."),
    "1'234,50": (_APOSTROPHES, ","),
    "1234,50": ("", ","),
}
_TOKENS = {"YYYY": r"(?P<year>[0-9]{4})", "MM": r"(?P<month>[0-9]{2})", "DD": r"(?P<day>[0-9]{2})"}
_SHORT = {"M": r"(?P<month>[0-9]{1,2})", "D": r"(?P<day>[0-9]{1,2})"}
_DATE_FORMAT = re.compile(r"(YYYY|MM?|DD?)([./ -]?)(YYYY|MM?|DD?)\2(YYYY|MM?|DD?)")


@dataclass(frozen=True)
class Notation:
    """The notation of a source.

    :param number_format: one of :data:`NUMBER_FORMATS`; None for RMA's own, ``1234.50``.
    :param date_format: day, month and year, e.g. ``DD.MM.YYYY``; None for ``YYYY-MM-DD``, which is accepted beside any
        other.
    :raises ConfigurationError: for a format that is not known.
    """

    number_format: str | None = None
    date_format: str | None = None

    def __post_init__(self) -> None:
        if self.number_format not in (None, *NUMBER_FORMATS):
            raise ConfigurationError(
                f"number_format {self.number_format!r} is not known",
                advice=f"Use one of {', '.join(NUMBER_FORMATS)}, or leave it out for 1234.50.",
            )
        if self.date_format is not None:
            _date_pattern(self.date_format)

    def read_number(self, text: str) -> str | None:
        """Rewrite an amount as RMA's own notation has it.

        :returns: None if it does not fit the format.
        """
        if self.number_format is None:
            return text
        groups, mark = NUMBER_FORMATS[self.number_format]
        match = _number_pattern(groups, mark).fullmatch(text)
        # 1.234 is a thousand and more to one program, one and a bit to another.
        if match is None or (groups == "." and text.count(".") == 1 and mark not in text):
            return None
        sign = "-" if match["sign"] in ("-", "\u2212") else ""
        whole = "".join(character for character in match["whole"] if character.isdigit())
        return f"{sign}{whole}.{match['decimals']}" if match["decimals"] else sign + whole

    def read_date(self, text: str) -> str | None:
        """Rewrite a date as year-month-day; whether the day exists is not looked at.

        :returns: None if it does not fit the format.
        """
        if self.date_format is None:
            return text
        match = _date_pattern(self.date_format).fullmatch(text)
        return f"{match['year']}-{match['month']:0>2}-{match['day']:0>2}" if match else None


def _number_pattern(groups: str, mark: str) -> re.Pattern[str]:
    grouped = rf"[0-9]{{1,3}}(?P<group>[{re.escape(groups)}])[0-9]{{3}}(?:(?P=group)[0-9]{{3}})*|" if groups else ""
    return re.compile(
        rf"(?P<sign>[+\u2212-]?)(?P<whole>{grouped}[0-9]{{1,40}})(?:{re.escape(mark)}(?P<decimals>[0-9]{{1,40}}))?"
    )


def _date_pattern(text: str) -> re.Pattern[str]:
    match = _DATE_FORMAT.fullmatch(str(text))
    tokens = [match[1], match[3], match[4]] if match else []
    separator = match[2] if match else ""
    order = "".join(token[0] for token in tokens)
    unclear = not separator and any(token in _SHORT for token in tokens)
    # A date that begins with its year is always read as year, month, day.
    if order not in ("DMY", "MDY", "YMD") or unclear:
        raise ConfigurationError(
            f"date_format {text!r} is not known",
            advice="Write day, month and year with four digits, e.g. DD.MM.YYYY, D.M.YYYY, MM/DD/YYYY or YYYYMMDD.",
        )
    patterns = [{**_TOKENS, **_SHORT}[token] for token in tokens]
    return re.compile(re.escape(separator).join(patterns))


#: RMA's own notation.
PLAIN = Notation()
