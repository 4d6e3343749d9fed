"""The provider info against Airflow's own schemas and Airflow's own readers."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import types
from dataclasses import MISSING, fields
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import jsonschema
import pytest
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
from airflow.providers_manager import ProvidersManager

from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.get_provider_info import get_provider_info
from airflow_provider_rma.hooks.connection import HOSTS, client_config
from airflow_provider_rma.hooks.rma import RunMyAccountsHook
from tests.support.airflow_versions import HAS_AIRFLOW_32, RuntimeProvidersManager

INFO = get_provider_info()
(CONNECTION,) = INFO["connection-types"]
CONN_FIELDS: dict[str, dict[str, Any]] = CONNECTION["conn-fields"]


def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((files("airflow") / name).read_text(encoding="utf-8"))
    return schema


def test_valid_for_the_schema_airflow_checks_at_run_time() -> None:
    jsonschema.validate(INFO, _schema("provider_info.schema.json"))


@pytest.mark.parametrize("key", sorted(set(INFO) - {"package-name", "name", "description"}))
def test_valid_for_the_strict_schema(key: str) -> None:
    schema = _schema("provider.yaml.schema.json")
    jsonschema.validate(INFO[key], {**schema["properties"][key], "definitions": schema.get("definitions", {})})


def test_no_key_that_the_strict_schema_does_not_know() -> None:
    assert set(INFO) <= set(_schema("provider.yaml.schema.json")["properties"])


def test_airflow_finds_it_through_the_entry_point() -> None:
    (point,) = [
        point
        for point in entry_points(group="apache_airflow_provider")
        if point.value.startswith("airflow_provider_rma.")
    ]
    assert point.load()() == INFO
    assert INFO["package-name"] in ProvidersManager().providers


def test_needs_the_standard_library_only() -> None:
    code = (
        "import sys; from airflow_provider_rma.get_provider_info import get_provider_info; get_provider_info();"
        "print([n for n in sys.modules if '.' not in n and n not in sys.stdlib_module_names"
        " and n not in ('__main__', 'airflow_provider_rma') and not n.startswith(('_', 'sitecustomize'))])"
    )
    plain = [sys.executable, "-c", "import sys; print([n for n in sys.modules])"]
    before = eval(subprocess.run(plain, capture_output=True, text=True, check=True).stdout)  # noqa: S307
    after = eval(  # noqa: S307
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )
    assert set(after) <= set(before)


def _class_paths() -> list[str]:
    modules = [name for kind in ("operators", "hooks") for entry in INFO[kind] for name in entry["python-modules"]]
    return modules + [entry["python-module"] for entry in INFO["transfers"]]


@pytest.mark.parametrize("module", _class_paths())
def test_listed_modules_import(module: str) -> None:
    importlib.import_module(module)


def test_integrations_are_declared() -> None:
    own = {entry["integration-name"] for entry in INFO["integrations"]}
    other = {
        entry["integration-name"]
        for provider in ProvidersManager().providers.values()
        for entry in provider.data.get("integrations", [])
    }
    for kind in ("operators", "hooks"):
        assert {entry["integration-name"] for entry in INFO[kind]} <= own
    for transfer in INFO["transfers"]:
        assert transfer["target-integration-name"] in own
        assert transfer["source-integration-name"] in other


def test_hook_class_carries_what_the_info_says() -> None:
    module, _, name = CONNECTION["hook-class-name"].rpartition(".")
    assert getattr(importlib.import_module(module), name) is RunMyAccountsHook
    assert RunMyAccountsHook.conn_type == CONNECTION["connection-type"]
    assert RunMyAccountsHook.hook_name == CONNECTION["hook-name"]
    assert RunMyAccountsHook.conn_name_attr == "rma_conn_id"
    assert RunMyAccountsHook.default_conn_name == "rma_default"
    hook = RuntimeProvidersManager().hooks["rma"]
    assert hook is not None
    assert hook.connection_id_attribute_name == "rma_conn_id"


def _shown_form() -> Any:
    return next(meta for meta in HookMetaService.hook_meta_data() if meta.connection_type == "rma")


@pytest.mark.skipif(
    not HAS_AIRFLOW_32 and find_spec("flask_appbuilder") is None,
    reason="Airflow 3.1.0 shows no provider's form without flask_appbuilder",
)
def test_airflow_shows_the_form() -> None:
    shown = _shown_form()
    assert shown.hook_name == "Run my Accounts"
    assert shown.standard_fields.url_schema.title == "Tenant (Mandant)"
    assert shown.standard_fields.password.title == "Token"
    assert shown.standard_fields.password.placeholder == "pat_…"
    assert shown.standard_fields.login.hidden is True
    assert shown.standard_fields.host.placeholder
    assert list(shown.extra_fields) == list(CONN_FIELDS)
    for name, field in CONN_FIELDS.items():
        assert shown.extra_fields[name]["schema"]["title"] == field["label"]
        assert shown.extra_fields[name]["description"] == field["description"]


def test_every_setting_of_the_client_has_a_field_and_every_field_a_setting() -> None:
    settings = {field.name for field in fields(ClientConfig)} - {"host", "tenant", "token"}
    assert set(CONN_FIELDS) == settings | {"environment"}


def test_an_optional_field_may_be_left_empty() -> None:
    assert all("null" in field["schema"]["type"] for field in CONN_FIELDS.values())


def test_defaults_of_the_form_are_those_of_the_client() -> None:
    defaults = {field.name: field.default for field in fields(ClientConfig) if field.default is not MISSING}
    for name, field in CONN_FIELDS.items():
        if "default" in field["schema"] and name != "environment":
            assert field["schema"]["default"] == defaults[name], name
    for name in ("connect_timeout", "read_timeout", "total_deadline", "max_in_flight"):
        assert f"Default: {defaults[name]:g}." in CONN_FIELDS[name]["description"]
    assert HOSTS["live"] == defaults["host"]


def test_a_connection_saved_from_the_untouched_form_can_be_read() -> None:
    saved = {name: field["schema"].get("default") for name, field in CONN_FIELDS.items()}
    connection = types.SimpleNamespace(
        conn_id="c", conn_type="rma", host=None, port=None, schema="demo", password="pat_demo", extra=json.dumps(saved)
    )
    assert client_config(connection) == ClientConfig(tenant="demo", token="pat_demo")


def test_no_field_name_hides_a_secret_or_breaks_the_form() -> None:
    assert not any(field["schema"].get("format") == "password" for field in CONN_FIELDS.values())
    assert "__" not in CONNECTION["connection-type"]
    assert CONNECTION["connection-type"] == CONNECTION["connection-type"].lower()


def test_airflow_knows_the_settings_and_their_defaults() -> None:
    from airflow.configuration import conf

    if not HAS_AIRFLOW_32:
        # Later versions do so by themselves.
        ProvidersManager().initialize_providers_configuration()
    options = INFO["config"]["rma"]["options"]
    assert set(options) == {"storage_path", "journal_conn_id", "allow_local_journal", "file_mode", "retention_days"}
    for name, option in options.items():
        assert conf.get("rma", name) == option["default"]
        assert option["description"]
        assert option["version_added"]


@pytest.fixture
def airflow_31_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classes Airflow 3.1 puts in the place of WTForms when it asks hooks for their form."""

    def module(name: str, **members: Any) -> None:
        stand_in = types.ModuleType(name)
        vars(stand_in).update(members)
        monkeypatch.setitem(sys.modules, name, stand_in)

    service = HookMetaService
    module(
        "wtforms",
        StringField=service.MockStringField,
        IntegerField=service.MockIntegerField,
        BooleanField=service.MockBooleanField,
    )
    module("wtforms.validators", Optional=service.MockOptional, any_of=service.MockEnum)
    module("flask_babel", lazy_gettext=str)
    module("flask_appbuilder")
    module("flask_appbuilder.fieldwidgets", BS3TextFieldWidget=service.MockAnyWidget)


@pytest.mark.usefixtures("airflow_31_form")
def test_the_form_of_airflow_31_equals_the_declared_one() -> None:
    widgets = RunMyAccountsHook.get_connection_form_widgets()
    assert list(widgets) == list(CONN_FIELDS)
    for name, field in CONN_FIELDS.items():
        dumped = widgets[name].param.dump()
        declared = field["schema"]
        number = "number" in declared["type"]
        assert dumped["schema"]["type"] == (["string", "null"] if number else declared["type"]), name
        assert dumped["schema"]["title"] == field["label"]
        assert dumped["schema"].get("enum") == declared.get("enum")
        assert dumped["value"] == declared.get("default")
        assert dumped["description"] == field["description"]


def test_the_labels_of_airflow_31_equal_the_declared_ones() -> None:
    behaviour = RunMyAccountsHook.get_ui_field_behaviour()
    jsonschema.validate(behaviour, _schema("customized_form_field_behaviours.schema.json"))
    declared = CONNECTION["ui-field-behaviour"]
    assert behaviour == {
        "hidden_fields": declared["hidden-fields"],
        "relabeling": declared["relabeling"],
        "placeholders": declared["placeholders"],
    }
