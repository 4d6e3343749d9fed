"""Entities inside entities, and lists inside their wrapper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from marshmallow import ValidationError, missing

from airflow_provider_rma.schemas.fields import RmaField
from airflow_provider_rma.schemas.problems import Problem, refused

if TYPE_CHECKING:
    from airflow_provider_rma.schemas.base import EntitySchema


def unwrap(value: Any, item: str) -> list[Any]:
    """Elements of a list in a wrapper, in all the forms in which RMA's JSON gives one.

    One element is an object, several are an array; no element is null, an empty text, an empty object, or nothing at
    all (documented, seen in clients). Repeated wrappers and a bare array are read as well.

    :param value: what stands under the wrapper's name, e.g. ``{"part": [{...}, {...}]}``.
    :param item: name of one element, e.g. ``part``.
    :raises ValidationError: if it is a text.
    """
    if not value:
        return []
    if isinstance(value, Mapping):
        inner = value.get(item) if item in value else None
        if not inner:
            return []
        return list(inner) if isinstance(inner, list | tuple) else [inner]
    if isinstance(value, list | tuple):
        return [element for entry in value for element in _elements(entry, item)]
    if isinstance(value, str) and not value.strip():
        return []
    raise refused("cannot be read as a list")


def _elements(entry: Any, item: str) -> Iterable[Any]:
    if isinstance(entry, Mapping) and set(entry) == {item}:
        return unwrap(entry, item)
    return [entry]


class NestedField(RmaField):
    """What fields with a schema of their own share.

    :param schema_class: schema of the inner entity.
    """

    def __init__(self, schema_class: type[EntitySchema], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema_class = schema_class

    def _bind_to_schema(self, field_name: str, parent: Any, /) -> None:
        super()._bind_to_schema(field_name, parent)
        self.schema = self.schema_class(direction=parent.direction, input_timezone=parent.input_timezone)

    def element(self, value: Any) -> dict[str, Any]:
        """Read one inner entity."""
        if not isinstance(value, Mapping):
            if self.strict or value:
                raise refused(
                    f"is a {type(value).__name__}, not a mapping of fields",
                    f"give a dict with the fields of the {self.schema.entity}",
                )
            value = {}
        loaded: dict[str, Any] = self.schema.load(value)
        return loaded


class Nested(NestedField):
    """One entity inside another. Without a single value it counts as not given."""

    kind = "entity"

    def read_user(self, value: Any) -> Any:
        empty = isinstance(value, str | Mapping) and not value
        return missing if empty else self.element(value) or missing

    def read_wire(self, value: Any) -> dict[str, Any] | None:
        return self.element(value) if value else None

    def write_wire(self, value: Any) -> Any:
        return self.schema.dump(value)


class WrappedList(NestedField):
    """A list inside its wrapper: ``{"parts": {"part": [...]}}``. In an entity it is a list, never absent.

    A user may give a list, one mapping (a list of one), or the wrapper. On the wire all elements are inside one
    wrapper: repeated wrappers lose all but the last (seen in clients). An empty list is not written.

    :param schema_class: schema of an element.
    :param item: name of one element.
    """

    kind = "list"

    def __init__(self, schema_class: type[EntitySchema], item: str, **kwargs: Any) -> None:
        super().__init__(schema_class, item=item, **kwargs)
        self.item = item

    def absent(self) -> Any:
        return []

    def read_user(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            items = self._from_mapping(value)
        elif isinstance(value, list | tuple):
            items = list(value)
        elif value == "":
            return missing
        else:
            raise refused(f"is a {type(value).__name__}, not a list of {self.item} records", "give a list of mappings")
        return self._each(items)

    def _from_mapping(self, value: Mapping[str, Any]) -> list[Any]:
        if self.item not in value:
            return [value] if value else []
        stray = [key for key in value if key != self.item]
        if stray:
            text = f"stands beside '{self.item}' in the wrapper"
            raise ValidationError({key: [Problem(text, "move it into the lines or remove it")] for key in stray})
        return unwrap(value, self.item)

    def read_wire(self, value: Any) -> list[dict[str, Any]]:
        return self._each(unwrap(value, self.item))

    def _each(self, items: list[Any]) -> list[dict[str, Any]]:
        loaded, errors = [], {}
        for index, item in enumerate(items):
            try:
                loaded.append(self.element(item))
            except ValidationError as error:
                errors[index] = error.messages
        if errors:
            raise ValidationError(errors)
        return loaded

    def write_wire(self, value: Any) -> Any:
        return {self.item: [self.schema.dump(element) for element in value]} if value else missing
