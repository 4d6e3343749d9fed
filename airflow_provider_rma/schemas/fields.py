"""The base of all field types, and the plain ones: whole numbers, booleans, undocumented content.

A field knows three ways: :meth:`RmaField.read_user` (strict), :meth:`RmaField.write_wire`, and
:meth:`RmaField.read_wire` (tolerant). Which of the two readings applies is settled once, when its schema is built.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from marshmallow import ValidationError, fields, missing

from airflow_provider_rma.schemas.mapped import scalar_text
from airflow_provider_rma.schemas.problems import missing_error, type_name, validation_error

if TYPE_CHECKING:
    _Field = fields.Field[Any]
else:  # generic from marshmallow 4 on
    _Field = fields.Field


class Direction(Enum):
    """Where a schema reads from."""

    USER = "user"
    WIRE = "wire"


@dataclass(frozen=True)
class FieldSpec:
    """The limits, default and marks of one field.

    :param path: name of the field, of a nested one with its path, e.g. ``parts[].unit``, ``customer.name``.
    :param kind: ``text``, ``key``, ``account number``, ``account numbers``, ``choice``, ``currency``, ``money``,
        ``price``, ``balance``, ``integer``, ``boolean``, ``date``, ``list``, ``entity`` or ``undocumented``.
    :param required: the user must give it.
    :param read_only: RMA sets it; not taken from users.
    :param default: what RMA takes if it is not sent, None if nothing is documented.
    :param max_length: most characters, None without a limit.
    :param decimals: most decimal places, None if it is no amount.
    :param choices: the documented words, empty if any text will do.
    :param attribute: an XML attribute, ``@name`` on the wire.
    :param note: meaning or evidence in a few words.
    """

    path: str
    kind: str
    required: bool
    read_only: bool
    default: str | None
    max_length: int | None
    decimals: int | None
    choices: tuple[str, ...]
    attribute: bool
    note: str


class RmaField(_Field, ABC):
    """A field of an RMA entity.

    :param required: the user must give it.
    :param read_only: RMA sets it. Ignored with a remark where a user gives it, kept where the wire brings it.
    :param refused: the remedy with which a read-only field is refused from users, for values that a user may rely on.
    :param default: what RMA takes if the field is not sent, as documented; for information, never filled in here.
    :param attribute: an XML attribute, ``@name`` on the wire.
    :param note: where the limit comes from, or what the field means, in a few words.
    :param limits: further properties for :class:`FieldSpec`: ``max_length``, ``decimals``, ``choices``.
    """

    kind: ClassVar[str] = "value"

    def __init__(
        self,
        *,
        required: bool = False,
        read_only: bool = False,
        refused: str = "",
        default: str | None = None,
        attribute: bool = False,
        note: str = "",
        **limits: Any,
    ) -> None:
        metadata = {"default": default, "read_only": read_only, "attribute": attribute, "note": note, **limits}
        super().__init__(required=required, allow_none=True, metadata=metadata)
        self.read_only = read_only
        self.refused = refused
        self.is_attribute = attribute
        self.strict = True

    def _bind_to_schema(self, field_name: str, parent: Any, /) -> None:
        super()._bind_to_schema(field_name, parent)
        self.strict = parent.direction is Direction.USER
        self.load_only = False
        self.dump_only = self.strict and self.read_only
        if self.is_attribute and not self.strict:
            self.data_key = f"@{field_name}"

    def specs(self, path: str, *, read_only: bool = False) -> Iterator[FieldSpec]:
        """The field's spec, and those of the fields inside it.

        :param path: of this field.
        :param read_only: whether a field around this one is.
        """
        yield FieldSpec(
            path=path,
            kind=self.kind,
            required=self.required,
            read_only=read_only or self.read_only,
            default=self.metadata["default"],
            max_length=self.metadata.get("max_length"),
            decimals=self.metadata.get("decimals"),
            choices=tuple(self.metadata.get("choices", ())),
            attribute=self.is_attribute,
            note=self.metadata["note"],
        )

    def writable(self, value: Any) -> Any:
        """The part of a value read from the service that may be sent back."""
        return value

    def find_undeclared(self, value: Any, path: str) -> Iterator[str]:
        """Paths of members that a value of the mapped form has and nobody has declared.

        :param path: of this field.
        """
        if isinstance(value, Mapping):
            yield from (f"{path}.{name}" for name in value if name != "$")

    def absent_value(self) -> Any:
        """The value of a field that is not there: ``missing``, unless a list says otherwise."""
        return missing

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        if not self.strict:
            if value is missing:
                return self.absent_value()
            return self.read_wire(value)
        result = missing if value is None or value is missing else self._read_guarded(value)
        if result is not missing:
            return result
        if self.required:
            raise missing_error()
        return self.absent_value()

    def _read_guarded(self, value: Any) -> Any:
        """Read a user's value; one that cannot even be looked at is a problem of its field, like any other."""
        try:
            return self.read_user(value)
        except ValidationError:
            raise
        except Exception:  # noqa: BLE001 - a user's object may raise anything
            failure = validation_error(f"is a {type_name(value)} that cannot be read", "give a plain value or text")
        raise failure

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return self.write_wire(value)

    @abstractmethod
    def read_user(self, value: Any) -> Any:
        """A Python value or text from the user, strictly; ``missing`` if it means "not given"."""

    @abstractmethod
    def read_wire(self, value: Any) -> Any:
        """A value of the mapped form, tolerantly; None if it is empty."""

    @abstractmethod
    def write_wire(self, value: Any) -> Any:
        """The documented text of a value."""


def is_empty_text(value: Any) -> bool:
    """Whether a user's value is the empty text; ``==`` would ask the object, which may say anything."""
    return isinstance(value, str) and not len(value)


def to_integer(value: Any) -> int | None:
    """A whole number of any integer type, those of numpy included; None for everything else. A bool is no number."""
    if isinstance(value, bool):
        return None
    return int(value) if isinstance(value, Integral) else None


class Integer(RmaField):
    """A whole number.

    :param minimum: smallest value a user may give.
    :param maximum: largest value a user may give.
    """

    kind = "integer"
    _TEXT = re.compile(r"[+-]?[0-9]{1,18}")
    _WIRE = re.compile(r"([+-]?[0-9]{1,18})(?:\.0*)?")

    def __init__(self, *, minimum: int = 0, maximum: int = 2**31 - 1, **kwargs: Any) -> None:
        super().__init__(minimum=minimum, maximum=maximum, **kwargs)
        self.minimum = minimum
        self.maximum = maximum

    def read_user(self, value: Any) -> Any:
        if isinstance(value, str):
            value = value.strip()
            if not value:
                return missing
        number = self._number(value)
        if number is None:
            raise validation_error("is not a whole number", "give an int, or digits only")
        if not self.minimum <= number <= self.maximum:
            raise validation_error(f"is outside of {self.minimum} to {self.maximum}", "correct the value")
        return number

    def _number(self, value: Any) -> int | None:
        if isinstance(value, str):
            return int(value) if self._TEXT.fullmatch(value) else None
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < 18 and value == int(value):
            return int(value)
        return to_integer(value)

    def read_wire(self, value: Any) -> int | None:
        text = scalar_text(value).strip()
        if not text:
            return None
        match = self._WIRE.fullmatch(text)
        if not match:
            raise validation_error("cannot be read as a whole number")
        return int(match[1])

    def write_wire(self, value: Any) -> str:
        return str(int(value))


class Boolean(RmaField):
    """``true`` or ``false``, as text on the wire (documented). Databases without booleans give 1 and 0."""

    kind = "boolean"
    _VALUES: ClassVar[Mapping[str, bool]] = {"true": True, "false": False, "1": True, "0": False}

    def read_user(self, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            return missing
        found = None
        if isinstance(value, str):
            found = self._VALUES.get(value.strip().lower())
        elif isinstance(value, Integral) and int(value) in (0, 1):
            found = bool(value)
        if found is not None:
            return found
        raise validation_error("is neither true nor false", "give True or False, or the text 'true' or 'false'")

    def read_wire(self, value: Any) -> bool | None:
        text = scalar_text(value).strip().lower()
        if not text:
            return None
        try:
            return self._VALUES[text]
        except KeyError:
            raise validation_error("cannot be read as true or false") from None

    def write_wire(self, value: Any) -> str:
        return "true" if value else "false"


class Undocumented(RmaField):
    """Content nobody has documented: read, kept and written back as it is."""

    kind = "undocumented"

    def read_user(self, value: Any) -> Any:
        raise validation_error("has no documented content", "leave it out")

    def find_undeclared(self, value: Any, path: str) -> Iterator[str]:
        return iter(())

    def read_wire(self, value: Any) -> Any:
        empty = value is None or (isinstance(value, str | Mapping | Sequence) and not value)
        return None if empty else value

    def write_wire(self, value: Any) -> Any:
        return value
