"""One declaration per entity, three directions: from the user, to the wire, from the wire."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, ClassVar, Self, cast

import pendulum
from marshmallow import EXCLUDE, INCLUDE, Schema, ValidationError, missing, pre_load, validates_schema
from marshmallow.exceptions import SCHEMA

from airflow_provider_rma.exceptions import ConfigurationError, FieldProblem, InvalidInputError, UnexpectedResponseError
from airflow_provider_rma.schemas.date_range import PLAUSIBLE, DateRange
from airflow_provider_rma.schemas.fields import Direction, FieldSpec, RmaField
from airflow_provider_rma.schemas.mapped import unwrap
from airflow_provider_rma.schemas.notation import PLAIN, Notation
from airflow_provider_rma.schemas.problems import (
    MAX_PROBLEMS,
    Problem,
    field_problems,
    printable_name,
    type_name,
    unknown_field_problem,
    validation_error,
)

log = logging.getLogger(__name__)


class EntitySchema(Schema):
    """Base of all entities. Instances hold no state between calls and are meant to be re-used, also by threads.

    ``CustomerSchema()`` is what to write; the parameters are used for the instances that belong to it.

    :param direction: what :meth:`load` reads: input of a user, or a response of the service.
    :param input_timezone: zone in which a time of day from a user is turned into a calendar day.
    :param date_range: days that are accepted from a user.
    :param notation: how a user writes amounts and dates as text.
    """

    #: What one record is called, also the name of its element.
    entity: ClassVar[str]
    #: The field that names a record; without it a response cannot be used. None where none is certain.
    key: ClassVar[str | None] = None

    def __init__(
        self,
        *,
        direction: Direction = Direction.USER,
        input_timezone: str | None = None,
        date_range: DateRange = PLAUSIBLE,
        notation: Notation = PLAIN,
    ) -> None:
        self.direction = direction
        self.input_timezone = input_timezone
        self.date_range = date_range
        self.notation = notation
        self._siblings: dict[tuple[Direction, str | None, DateRange, Notation], Self] = {}
        self._remarked: set[str] = set()
        super().__init__(unknown=EXCLUDE if direction is Direction.USER else INCLUDE)
        self._fields = cast("Mapping[str, RmaField]", self.fields)
        self._attributes = tuple(name for name, field in self._fields.items() if field.is_attribute)
        self._by_name = {**self._fields, **{f"@{name}": self._fields[name] for name in self._attributes}}

    def _sibling(
        self,
        direction: Direction,
        input_timezone: str | None = None,
        date_range: DateRange = PLAUSIBLE,
        notation: Notation = PLAIN,
    ) -> Self:
        key = (direction, input_timezone, date_range, notation)
        if key == (self.direction, self.input_timezone, self.date_range, self.notation):
            return self
        if key not in self._siblings:
            self._siblings[key] = type(self)(
                direction=direction, input_timezone=input_timezone, date_range=date_range, notation=notation
            )
        return self._siblings[key]

    # ------------------------------------------------------------------ the three directions

    def from_user(
        self,
        record: Mapping[str, Any],
        *,
        path: str = "",
        input_timezone: str | None = None,
        date_range: DateRange = PLAUSIBLE,
        notation: Notation = PLAIN,
    ) -> dict[str, Any]:
        """Check what a user gives, strictly, and turn it into an entity.

        Whatever is given, also no record at all or objects that cannot be looked at, ends in an entity or in
        :class:`InvalidInputError`, whose message is of bounded length. Fields that RMA sets (``id``) are left out, and
        named once in the log.

        :param record: RMA's field names with Python values or text. None means "not given"; so does an empty text in a
            field that is no text. Lists may be a list, one mapping, or the wrapper form.
        :param path: name of the record in messages, e.g. ``customer K-1``; by default made from its kind and key.
        :param input_timezone: zone (e.g. ``Europe/Zurich``) in which a time stamp that is not at midnight is turned
            into a calendar day; without it such values are refused.
        :param date_range: days that are accepted.
        :param notation: how the record writes amounts and dates as text.
        :returns: the entity, with the fields that were given, and every list field.
        :raises InvalidInputError: with every problem found.
        :raises ConfigurationError: if the zone does not exist.
        """
        schema = self._sibling(Direction.USER, _check_timezone(input_timezone), date_range, notation)
        failure: InvalidInputError
        try:
            values = self._copy_record(record)
            path = path or self._record_name(values)
            entity: dict[str, Any] = schema.load(values)
        except ValidationError as error:
            failure = InvalidInputError(field_problems(path or self.entity, error.messages))
        except Exception:  # noqa: BLE001 - a user's object may raise anything
            failure = InvalidInputError([FieldProblem(path or self.entity, "cannot be read", "give plain values")])
        else:
            return entity
        raise failure

    def _copy_record(self, record: Any) -> dict[Any, Any]:
        if isinstance(record, Mapping):
            return dict(record)
        raise validation_error(f"is a {type_name(record)}, not a mapping of fields", f"give one dict per {self.entity}")

    def to_wire(self, entity: Mapping[str, Any]) -> dict[str, Any]:
        """Write an entity in the mapped form, exactly as documented and in the documented order.

        Fields that are None or absent, empty lists, and fields nobody has documented are not written.

        :param entity: what :meth:`from_user` or :meth:`from_wire` gave.
        """
        return self._sibling(Direction.WIRE).write_fields(entity)

    def write_fields(self, entity: Mapping[str, Any]) -> dict[str, Any]:
        """Write the fields that have a value; marshmallow's ``dump`` takes several times as long."""
        written = {}
        for name, field in self._fields.items():
            value = entity.get(name)
            text = missing if value is None else field.write_wire(value)
            if text is not missing:
                written[field.data_key or name] = text
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
            raise _unexpected_error(f"{path}: is not a record")
        try:
            entity: dict[str, Any] = schema.load(mapped)
        except ValidationError as error:
            raise _unexpected_error(
                "; ".join(str(problem) for problem in field_problems(path, error.messages))
            ) from None
        if self.key is not None and entity.get(self.key) in (None, ""):
            raise _unexpected_error(f"{path}: {self.key} is missing")
        if unknown_fields is not None:
            unknown_fields.update(schema.find_undeclared(mapped))
        return entity

    def list_from_wire(
        self, mapped: Any, *, path: str = "", unknown_fields: set[str] | None = None
    ) -> list[dict[str, Any]]:
        """Read a list response such as ``{"customer": [...]}``, also with one element or none.

        :param mapped: the response in the mapped form, its root already dropped.
        :param path: see :meth:`from_wire`.
        :param unknown_fields: see :meth:`from_wire`.
        """
        path = path or self.entity
        try:
            records = unwrap(mapped, self.entity)
        except ValidationError:
            raise _unexpected_error(f"list of {self.entity}: cannot be read as a list") from None
        return [
            self.from_wire(record, path=f"{path}[{index}]", unknown_fields=unknown_fields)
            for index, record in enumerate(records)
        ]

    def writable(self, entity: Mapping[str, Any]) -> dict[str, Any]:
        """The part of an entity read from the service that may be sent back: to read a record, change it, and write it
        whole. Without read-only and unknown fields and empty values."""
        kept: dict[str, Any] = {}
        for name, field in self._fields.items():
            value = entity.get(name)
            if value is not None and not field.read_only:
                kept[name] = field.writable(value)
        return kept

    @classmethod
    def field_specs(cls) -> tuple[FieldSpec, ...]:
        """Every field with its limits, default and marks, nested ones included, in the order of the wire."""
        return tuple(cls.iter_field_specs())

    @classmethod
    def iter_field_specs(cls, prefix: str = "", *, read_only: bool = False) -> Iterator[FieldSpec]:
        """Like :meth:`field_specs`, for a schema inside another.

        :param prefix: path of the outer field.
        :param read_only: whether the outer field is.
        """
        for name, field in cast("Mapping[str, RmaField]", cls._declared_fields).items():
            yield from field.specs(prefix + name, read_only=read_only)

    # ------------------------------------------------------------------ rules over several fields

    def check_rules(self, given: Mapping[str, Any]) -> dict[str, list[Problem]]:
        """Find problems that show only when fields are seen together.

        :param given: the fields that have a value, also those whose value was refused on its own.
        :returns: problems by the field they belong to.
        """
        return {}

    # ------------------------------------------------------------------ marshmallow

    @pre_load
    def _mark_attributes(self, data: Any, **_: Any) -> Any:
        """XML attributes may come without their ``@`` (which JSON dialect writes them is only partly known)."""
        if self.direction is Direction.USER or not self._attributes:
            return data
        bare = [name for name in self._attributes if name in data]
        if not bare:
            return data
        renamed = {f"@{name}": data[name] for name in bare}
        if any(data.get(name, value) != value for name, value in renamed.items()):
            raise validation_error("states an attribute twice, with different values")
        return renamed | {key: value for key, value in data.items() if key not in bare}

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def _check_user_input(self, data: dict[str, Any], original: Mapping[str, Any], **_: Any) -> None:
        if self.direction is Direction.WIRE:
            return
        problems = dict(islice(self._find_key_problems(original), MAX_PROBLEMS + 1))
        refused = {name: original[name] for name in self.load_fields if name not in data and name in original}
        given = {name: value for name, value in {**refused, **data}.items() if not _is_empty(value)}
        for key, found in self.check_rules(given).items():
            problems.setdefault(key, []).extend(found)
        if problems:
            raise ValidationError(problems)

    def _find_key_problems(self, original: Mapping[Any, Any]) -> Iterator[tuple[str, list[Problem]]]:
        """Find keys that are no field's, or a field's that is not the user's to write."""
        for key, value in original.items():
            field = self._fields.get(key) if isinstance(key, str) else None
            if field is None:
                name = printable_name(key)
                # marshmallow's own name for the record as a whole would hide the key.
                name = name if name != SCHEMA else f"'{name}'"
                yield name, [unknown_field_problem(key, self.load_fields, self.entity)]
            elif field.read_only and not _is_empty(value):
                if field.refused:
                    yield key, [Problem("is set by RMA and cannot be written", field.refused)]
                elif key not in self._remarked:
                    self._remarked.add(key)
                    log.info("%s: %s is set by RMA; what records say there is not sent.", self.entity, key)

    def find_undeclared(self, mapped: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
        """Paths of members of the mapped form that are not declared, in this record and the ones inside it."""
        for name in mapped:
            field = self._by_name.get(name)
            if field is None:
                yield prefix + str(name)
            else:
                yield from field.find_undeclared(mapped[name], prefix + name)

    def _record_name(self, record: Mapping[Any, Any]) -> str:
        value = record.get(self.key) if self.key else None
        usable = isinstance(value, str) and 0 < len(value) <= 64 and value.isprintable()
        return f"{self.entity} {value}" if usable else self.entity


def _is_empty(value: Any) -> bool:
    """Whether a value counts as not given; comparing with ``==`` would ask the object, which may answer anything."""
    return value is None or value is missing or (isinstance(value, str | list | tuple | dict) and not len(value))


def _unexpected_error(message: str) -> UnexpectedResponseError:
    return UnexpectedResponseError(
        message, advice="The response does not fit the documented interface; see its raw text."
    )


@lru_cache(maxsize=64)
def _check_timezone(name: str | None) -> str | None:
    if name is not None:
        try:
            pendulum.timezone(name)
        except (ValueError, KeyError, OSError):
            advice = "Use a name of the IANA time zone database, e.g. Europe/Zurich."
            raise ConfigurationError(f"input_timezone {name!r} is not a time zone.", advice=advice) from None
    return name
