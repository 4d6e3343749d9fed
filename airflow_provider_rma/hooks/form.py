"""The connection form for Airflow 3.1, which asks the hook for it: built from the provider info, no second copy."""

from __future__ import annotations

from typing import Any

from airflow_provider_rma.hooks.connection import get_connection_type


def field_behaviour() -> dict[str, Any]:
    """Labels, placeholders and hidden standard fields, under the names Airflow 3.1 expects."""
    return {name.replace("-", "_"): value for name, value in get_connection_type()["ui-field-behaviour"].items()}


def form_widgets() -> dict[str, Any]:
    """One form field per extra, in the order of the provider info."""
    return {name: _widget(declaration) for name, declaration in get_connection_type()["conn-fields"].items()}


def _widget(declaration: dict[str, Any]) -> Any:
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import BooleanField, IntegerField, StringField
    from wtforms.validators import Optional, any_of

    schema = declaration["schema"]
    validators = [Optional()]
    if "enum" in schema:
        validators.append(any_of(schema["enum"]))
    common: dict[str, Any] = {
        "validators": validators,
        "description": declaration["description"],
        "default": schema.get("default"),
    }
    label = lazy_gettext(declaration["label"])
    if "boolean" in schema["type"]:
        return BooleanField(label, **common)
    # A number may have a fraction, for which Airflow 3.1 has no field: it is typed as text, and read as a number.
    kind = IntegerField if "integer" in schema["type"] else StringField
    return kind(label, widget=BS3TextFieldWidget(), **common)
