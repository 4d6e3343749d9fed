"""One declaration per entity, three directions: from the user, to the wire, from the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Self, cast

import pendulum
from marshmallow import EXCLUDE, INCLUDE, Schema, ValidationError, missing, pre_load, validates_schema

from airflow_provider_rma.exceptions import ConfigurationError, FieldProblem, InvalidInputError, UnexpectedResponseError
from airflow_provider_rma.schemas.fields import Direction, RmaField, Undocumented
from airflow_provider_rma.schemas.nested import Nested, NestedField, WrappedList, unwrap
from airflow_provider_rma.schemas.problems import Problem, field_problems, unknown_field


@dataclass(frozen=True)
class FieldSpec:
    """What is known of one field.

    :param path: name of the field, of a nested one with its path, e.g. ``parts[].unit``, ``customer.name``.
    :param kind: ``text``, ``key``, ``account number``, ``account numbers``, ``choice``, ``currency``, ``money``,
        ``price``, ``balance``, ``integer``, ``boolean``, ``date``, ``list``, ``entity`` or ``undocumented``.
    :param required: the user must give it.
    :param read_only: RMA sets it; refused from users.
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


class EntitySchema(Schema):
    """Base of all entities. Instances hold no state between calls and are meant to be re-used, also by threads.

    ``CustomerSchema()`` is what to write; the parameters are used for the instances that belong to it.

    :param direction: what :meth:`load` reads: input of a user, or a response of the service.
    :param input_timezone: zone in which a time of day from a user is turned into a calendar day.
    """

    #: What one record is called, also the name of its element.
    entity: ClassVar[str]
    #: The field that names a record; without it a response cannot be used. None where none is certain.
    key: ClassVar[str | None] = None

    def __init__(self, *, direction: Direction = Direction.USER, input_timezone: str | None = None) -> None:
        self.direction = direction
        self.input_timezone = input_timezone
        self._siblings: dict[tuple[Direction, str | None], Self] = {}
        super().__init__(unknown=EXCLUDE if direction is Direction.USER else INCLUDE)
        self._attributes = tuple(name for name, field in self.fields.items() if field.metadata["attribute"])
        self._by_name = dict(self.fields) | {f"@{name}": self.fields[name] for name in self._attributes}

    def _sibling(self, direction: Direction, input_timezone: str | None = None) -> Self:
        if (direction, input_timezone) == (self.direction, self.input_timezone):
            return self
        key = (direction, input_timezone)
        if key not in self._siblings:
            self._siblings[key] = type(self)(direction=direction, input_timezone=input_timezone)
        return self._siblings[key]

    # ------------------------------------------------------------------ the three directions

    def from_user(
        self, record: Mapping[str, Any], *, path: str = "", input_timezone: str | None = None
    ) -> dict[str, Any]:
        """Check what a user gives, strictly, and turn it into an entity.

        :param record: RMA's field names with Python values or text. None means "not given"; so does an empty text in a
            field that is no text. Lists may be a list, one mapping, or the wrapper form.
        :param path: name of the record in messages, e.g. ``customer K-1``; by default made from its kind and key.
        :param input_timezone: zone (e.g. ``Europe/Zurich``) in which a time stamp that is not at midnight is turned
            into a calendar day; without it such values are refused.
        :returns: the entity, with the fields that were given, and every list field.
        :raises InvalidInputError: with every problem found.
        :raises ConfigurationError: if the zone does not exist.
        """
        schema = self._sibling(Direction.USER, _known_timezone(input_timezone))
        path = path or self._name(record)
        problem = self._no_record(record)
        if problem:
            raise InvalidInputError([FieldProblem(path, problem, f"give one dict per {self.entity}")])
        try:
            entity: dict[str, Any] = schema.load(record)
        except ValidationError as error:
            raise InvalidInputError(field_problems(path, error.messages)) from None
        return entity

    def to_wire(self, entity: Mapping[str, Any]) -> dict[str, Any]:
        """Write an entity in the mapped form, exactly as documented and in the documented order.

        Fields that are None or absent, empty lists, and fields nobody has documented are not written.

        :param entity: what :meth:`from_user` or :meth:`from_wire` gave.
        """
        written: dict[str, Any] = self._sibling(Direction.WIRE).dump(entity)
        return written

    def from_wire(self, mapped: Any, *, path: str = "", unknown_fields: set[str] | None = None) -> dict[str, Any]:
        """Read one record of a response, tolerantly.

        Unknown fields are kept under their names. Empty values are None, in text fields an empty text. Limits are not
        applied: what RMA holds is read. Every list field is in the result.

        :param mapped: the record in the mapped form.
        :param path: name of the record in messages; by default its kind.
        :param unknown_fields: collects paths of fields nobody has documented (``parts.colour``: without positions), so
            that a caller can report each once over many records.
        :raises UnexpectedResponseError: if the record has no key or a value cannot be read; it names the field only.
        """
        path = path or self.entity
        schema = self._sibling(Direction.WIRE)
        mapped = mapped or {}
        if not isinstance(mapped, Mapping):
            raise _unexpected(f"{path}: is not a record")
        try:
            entity: dict[str, Any] = schema.load(mapped)
        except ValidationError as error:
            raise _unexpected("; ".join(str(problem) for problem in field_problems(path, error.messages))) from None
        if self.key is not None and entity.get(self.key) in (None, ""):
            raise _unexpected(f"{path}: {self.key} is missing")
        if unknown_fields is not None:
            unknown_fields.update(schema.undeclared(mapped))
        return entity

    def list_from_wire(
        self, mapped: Any, *, path: str = "", unknown_fields: set[str] | None = None
    ) -> list[dict[str, Any]]:
        """Read a list response such as ``{"customer": [...]}``, also with one element or none.

        :param mapped: the response in the mapped form, its root already dropped.
        :param path: as of :meth:`from_wire`.
        :param unknown_fields: as of :meth:`from_wire`.
        """
        path = path or self.entity
        try:
            records = unwrap(mapped, self.entity)
        except ValidationError:
            raise _unexpected(f"list of {self.entity}: cannot be read as a list") from None
        return [
            self.from_wire(record, path=f"{path}[{index}]", unknown_fields=unknown_fields)
            for index, record in enumerate(records)
        ]

    def writable(self, entity: Mapping[str, Any]) -> dict[str, Any]:
        """The part of an entity read from the service that may be sent back: no read-only and no unknown fields, no
        empty values. What to start from when a record is read, changed, and written whole."""
        kept: dict[str, Any] = {}
        for name, field in self.fields.items():
            value = entity.get(name)
            if value is None or field.metadata["read_only"]:
                continue
            if isinstance(field, Nested):
                value = field.schema.writable(value)
            elif isinstance(field, WrappedList):
                value = [field.schema.writable(element) for element in value]
            kept[name] = value
        return kept

    @classmethod
    def limits(cls) -> tuple[FieldSpec, ...]:
        """Every field with its limit, default and marks, nested ones included, in the order of the wire."""
        return tuple(_limits(cls, "", read_only=False))

    # ------------------------------------------------------------------ rules over several fields

    def rules(self, given: Mapping[str, Any]) -> dict[str, list[Problem]]:
        """Problems that show only when fields are seen together.

        :param given: the fields that have a value, also those whose value was refused on its own.
        :returns: problems by the field they belong to.
        """
        return {}

    # ------------------------------------------------------------------ marshmallow

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        value = obj.get(attr)
        return missing if value is None else value

    @pre_load
    def _plain_attributes(self, data: Any, **_: Any) -> Any:
        """XML attributes may come without their ``@`` (which JSON dialect writes them is only partly known)."""
        if self.direction is Direction.USER or not self._attributes:
            return data
        bare = [name for name in self._attributes if name in data]
        if not bare:
            return data
        renamed = {f"@{name}": data[name] for name in bare}
        return renamed | {key: value for key, value in data.items() if key not in bare}

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def _strictly(self, data: dict[str, Any], original: Mapping[str, Any], **_: Any) -> None:
        if self.direction is Direction.WIRE:
            return
        problems: dict[str, list[Problem]] = {}
        for key, value in original.items():
            if key not in self.fields:
                problems[key] = [unknown_field(key, self.load_fields, self.entity)]
            elif key not in self.load_fields and value is not None:
                problems[key] = [Problem("is set by RMA and cannot be written", "leave it out")]
        refused = {name: original[name] for name in self.load_fields if name not in data and name in original}
        given = {name: value for name, value in {**refused, **data}.items() if value not in (None, "", [], {})}
        for key, found in self.rules(given).items():
            problems.setdefault(key, []).extend(found)
        if problems:
            raise ValidationError(problems)

    def undeclared(self, mapped: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
        """Paths of fields of the mapped form that are not declared, in this record and the ones inside it."""
        for name in mapped:
            field = self._by_name.get(name)
            if field is None:
                yield prefix + str(name)
            elif isinstance(field, NestedField):
                yield from _unknown_inside(field, mapped[name], prefix + name)
            elif isinstance(mapped[name], Mapping) and not isinstance(field, Undocumented):
                yield from (f"{prefix}{name}.{inner}" for inner in mapped[name] if inner != "$")

    @staticmethod
    def _no_record(record: Any) -> str:
        return "" if isinstance(record, Mapping) else f"is a {type(record).__name__}, not a mapping of fields"

    def _name(self, record: Any) -> str:
        value = record.get(self.key) if isinstance(record, Mapping) and self.key else None
        usable = isinstance(value, str) and value.isprintable() and 0 < len(value) <= 64
        return f"{self.entity} {value}" if usable else self.entity


def _unexpected(message: str) -> UnexpectedResponseError:
    return UnexpectedResponseError(
        message, advice="The response does not fit the documented interface; see its raw text."
    )


def _unknown_inside(field: NestedField, value: Any, path: str) -> Iterator[str]:
    if isinstance(field, WrappedList):
        if isinstance(value, Mapping):
            yield from (f"{path}.{name}" for name in value if name != field.item)
        elements = unwrap(value, field.item)
    else:
        elements = [value]
    for element in elements:
        if isinstance(element, Mapping):
            yield from field.schema.undeclared(element, f"{path}.")


@lru_cache(maxsize=64)
def _known_timezone(name: str | None) -> str | None:
    if name is not None:
        try:
            pendulum.timezone(name)
        except (ValueError, KeyError, OSError):
            advice = "Use a name of the IANA time zone database, e.g. Europe/Zurich."
            raise ConfigurationError(f"input_timezone {name!r} is not a time zone.", advice=advice) from None
    return name


def _limits(schema: type[EntitySchema], prefix: str, *, read_only: bool) -> Iterator[FieldSpec]:
    for name, field in schema._declared_fields.items():
        meta = field.metadata
        closed = read_only or meta["read_only"]
        yield FieldSpec(
            path=prefix + name,
            kind=cast(RmaField, field).kind,
            required=field.required,
            read_only=closed,
            default=meta["default"],
            max_length=meta.get("max_length"),
            decimals=meta.get("decimals"),
            choices=tuple(meta.get("choices", ())),
            attribute=meta["attribute"],
            note=meta["note"],
        )
        if isinstance(field, NestedField):
            step = "[]." if isinstance(field, WrappedList) else "."
            yield from _limits(field.schema_class, f"{prefix}{name}{step}", read_only=closed)
