"""Enumerations whose members say what they mean, once: pages, command line and documentation take it from there."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class DescribedEnum(StrEnum):
    """A string enumeration; each member is defined by its value, its meaning, and optionally advice.

    :ivar meaning: a phrase without capital and full stop.
    :ivar advice: what a person does about it, in sentences; empty if nothing.
    """

    meaning: str
    advice: str

    def __new__(cls, value: str, meaning: str = "", advice: str = "") -> Self:
        """Make a member. The meaning has a default for type checkers only, to whom looking one up is making one."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.advice = advice
        return member
