"""Entities inside entities, and lists inside their wrapper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, missing

from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.fields import FieldSpec, RmaField, is_empty_text
from airflow_provider_rma.schemas.mapped import unwrap
from airflow_provider_rma.schemas.problems import MAX_PROBLEMS, Problem, printable_name, wrong_type_error


class NestedField(RmaField):
    """Base of the fields with a schema of their own.

    :param schema_class: schema of the inner entity.
    """

    #: Joins the path of the field and the path of a field inside it.
    separator: ClassVar[str] = "."

    def __init__(self, schema_class: type[EntitySchema], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema_class = schema_class

    def _bind_to_schema(self, field_name: str, parent: Any, /) -> None:
        super()._bind_to_schema(field_name, parent)
        self.schema = self.schema_class(
            direction=parent.direction,
            input_timezone=parent.input_timezone,
            date_range=parent.date_range,
            notation=parent.notation,
        )

    def specs(self, path: str, *, read_only: bool = False) -> Iterator[FieldSpec]:
        yield from super().specs(path, read_only=read_only)
        yield from self.schema_class.iter_field_specs(f"{path}{self.separator}", read_only=read_only or self.read_only)

    def read_element(self, value: Any) -> dict[str, Any]:
        """Read one inner entity."""
        if not isinstance(value, Mapping):
            if self.strict or value:
                raise wrong_type_error(
                    value, "a mapping of fields", f"give a dict with the fields of the {self.schema.entity}"
                )
            value = {}
        loaded: dict[str, Any] = self.schema.load(dict(value) if self.strict else value)
        return loaded


class Nested(NestedField):
    """One entity inside another. Without a single value it counts as not given."""

    kind = "entity"

    def writable(self, value: Any) -> Any:
        return self.schema.writable(value)

    def find_undeclared(self, value: Any, path: str) -> Iterator[str]:
        if isinstance(value, Mapping):
            yield from self.schema.find_undeclared(value, f"{path}.")

    def read_user(self, value: Any) -> Any:
        empty = isinstance(value, str | Mapping) and not value
        return missing if empty else self.read_element(value) or missing

    def read_wire(self, value: Any) -> dict[str, Any] | None:
        return self.read_element(value) if value else None

    def write_wire(self, value: Any) -> Any:
        return self.schema.write_fields(value)


class WrappedList(NestedField):
    """A list inside its wrapper: ``{"parts": {"part": [...]}}``. In an entity it is a list, never absent.

    A user may give a list, one mapping (a list of one), or the wrapper. On the wire all elements are inside one
    wrapper: repeated wrappers lose all but the last (seen in clients). An empty list is not written.

    :param schema_class: schema of an element.
    :param item: name of one element.
    """

    kind = "list"
    separator = "[]."

    def __init__(self, schema_class: type[EntitySchema], item: str, **kwargs: Any) -> None:
        super().__init__(schema_class, item=item, **kwargs)
        self.item = item

    def writable(self, value: Any) -> Any:
        return [self.schema.writable(element) for element in value]

    def find_undeclared(self, value: Any, path: str) -> Iterator[str]:
        if isinstance(value, Mapping):
            yield from (f"{path}.{name}" for name in value if name != self.item)
        for element in unwrap(value, self.item):
            if isinstance(element, Mapping):
                yield from self.schema.find_undeclared(element, f"{path}.")

    def absent_value(self) -> Any:
        return []

    def read_user(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            items = self._from_mapping(value)
        elif isinstance(value, list | tuple):
            items = list(value)
        elif is_empty_text(value):
            return missing
        else:
            raise wrong_type_error(value, f"a list of {self.item} records", "give a list of mappings")
        return self._read_elements(items)

    def _from_mapping(self, value: Mapping[str, Any]) -> list[Any]:
        if self.item not in value:
            return [value] if value else []
        stray = [key for key in value if key != self.item]
        if stray:
            text = f"stands beside '{self.item}' in the wrapper"
            remedy = "move it into the lines or remove it"
            raise ValidationError({printable_name(key): [Problem(text, remedy)] for key in stray[:MAX_PROBLEMS]})
        return unwrap(value, self.item)

    def read_wire(self, value: Any) -> list[dict[str, Any]]:
        return self._read_elements(unwrap(value, self.item))

    def _read_elements(self, items: list[Any]) -> list[dict[str, Any]]:
        loaded, errors = [], {}
        for index, item in enumerate(items):
            try:
                loaded.append(self.read_element(item))
            except ValidationError as error:
                errors[index] = error.messages
                if len(errors) > MAX_PROBLEMS:
                    break
        if errors:
            raise ValidationError(errors)
        return loaded

    def write_wire(self, value: Any) -> Any:
        return {self.item: [self.schema.write_fields(element) for element in value]} if value else missing
