"""Numbers that identify a record: the characters they may have, and the normal form in which they are compared.

The normal form (the *key*) is made like this, until nothing changes any more:

1. letters are case-folded (``ß`` is ``ss``) and brought into Unicode's form NFKC: composed, and full-width digits and
   other compatibility forms replaced by the plain ones;
2. invisible characters are dropped: zero width, soft hyphen, marks of direction, variation selectors, tags, control
   characters, unpaired surrogates;
3. blanks of any kind around it are dropped, a run of blanks inside it is one space.

So the key of a key is itself. What a *user* gives is judged more strictly: :func:`find_number_problem`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote

from airflow_provider_rma.schemas.problems import Problem

#: Most characters of the key of any number that is accepted. A character can have a normal form of up to 18; a number
#: whose key would become longer than this is refused.
MAX_KEY_LENGTH = 256

#: Rounds after which a key is taken as it is; the longest chain of Unicode 14 to 16 settles in the third.
_ROUNDS = 8

#: Characters outside of the category Cf that are shown as nothing (Unicode: Default_Ignorable_Code_Point, and the
#: braille blank).
_SHOWN_AS_NOTHING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)


# Checks, working set, planner and journal ask for the key of the same number one after the other.
@lru_cache(maxsize=1_024)
def normalize_key(number: str) -> str:
    """Return the key of a number, see the module's text; empty if nothing of it is visible."""
    if number.isascii() and number.isprintable():
        return " ".join(number.lower().split())
    key = unicodedata.normalize("NFKC", number)
    for _ in range(_ROUNDS):
        before = key
        key = unicodedata.normalize("NFKC", key.casefold())
        key = " ".join("".join(character for character in key if not _is_invisible(character)).split())
        if key == before:
            break
    return key


def find_number_problem(number: str) -> Problem | None:
    """Find the reason why a text cannot be the number of a record, None if it can.

    :param number: text of bounded length.
    """
    return (
        _find_character_problem(number)
        or _find_mark_problem(number)
        or _find_segment_problem(number)
        or _find_length_problem(number)
    )


# ------------------------------------------------------------------ characters

#: Refused in a number, by Unicode category, with its name and the remedy.
_REFUSED = {
    "Cc": ("a control character", "remove it"),
    "Cf": ("an invisible character", "remove it"),
    "Cs": ("half a character (a lone surrogate)", "decode the source with the right encoding"),
    "Co": ("a private character that others cannot read", "replace it"),
    # Its normal form can become another one with the next version of Unicode.
    "Cn": ("a character that Unicode does not know", "replace it"),
    "Zl": ("a line break", "put it into one line"),
    "Zp": ("a line break", "put it into one line"),
    "Zs": ("a blank that is not the plain one", "write a space"),
}


def _find_character_problem(number: str) -> Problem | None:
    if number.isascii() and number.isprintable():
        return None
    for position, character in enumerate(number, start=1):
        if character == " ":
            continue
        refused = _REFUSED.get(unicodedata.category(character))
        if refused is None and _SHOWN_AS_NOTHING.match(character):
            refused = _REFUSED["Cf"]
        if refused is not None:
            return Problem(f"contains {refused[0]}, U+{ord(character):04X} at position {position}", refused[1])
    return None


def _is_invisible(character: str) -> bool:
    """Whether a key leaves a character out. Blanks among the control characters are left to the step that joins."""
    if _SHOWN_AS_NOTHING.match(character):
        return True
    return unicodedata.category(character) in ("Cc", "Cf", "Cs") and not character.isspace()


# ------------------------------------------------------------------ traces of tools

_EXPONENT = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*[eE][+-]?[0-9]+|[eE][+-][0-9]+)")
_DECIMALS = re.compile(r"[+-]?[0-9]+[.,]0+")
#: Texts that stand for "no value" or a boolean where a program wrote them.
_NO_NUMBERS = frozenset(
    {"nan", "nat", "none", "null", "<na>", "inf", "-inf", "infinity", "-infinity", "true", "false", "#n/a", "#n/v"}
    | {"#nv", "#ref!", "#name?", "#value!", "#wert!", "#bezug!", "#div/0!", "#null!", "#num!", "#zahl!"}
)


def is_written_by_spreadsheet(text: str) -> bool:
    """Whether a text is a number as spreadsheets and programs write them: ``2.60001E+05``, ``260001.0``."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return bool(_EXPONENT.fullmatch(plain) or _DECIMALS.fullmatch(plain))


SPREADSHEET = Problem(
    "is a number as a spreadsheet writes it, with an exponent or decimals",
    "format the column as text before exporting it, and give the digits alone",
)


def _find_mark_problem(number: str) -> Problem | None:
    if is_written_by_spreadsheet(number):
        return SPREADSHEET
    if normalize_key(number) in _NO_NUMBERS or set(number) == {"#"}:
        return Problem("is the mark of a program for a missing or failed value", "give the number itself")
    return None


# ------------------------------------------------------------------ paths

_SEPARATORS = re.compile(r"[/\\]")


def _find_segment_problem(number: str) -> Problem | None:
    """Find a dot segment: servers and proxies would take it for a step to another resource, also when it is encoded."""
    plain = unicodedata.normalize("NFKC", number)
    for _ in range(3):
        segments = (segment.partition(";")[0].strip() for segment in _SEPARATORS.split(plain))
        if any(segment in (".", "..") for segment in segments):
            return Problem("holds '.' or '..' as a part of a path, with which it cannot be asked for", "rename it")
        plain = unquote(plain)
    return None


def _find_length_problem(number: str) -> Problem | None:
    length = len(normalize_key(number))
    if not length:
        return Problem("has no visible character", "give a number")
    if length > MAX_KEY_LENGTH:
        return Problem(
            f"its normal form has {length} characters, at most {MAX_KEY_LENGTH} can be kept",
            "use plain letters and digits",
        )
    return None
