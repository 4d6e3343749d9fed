"""Departments and projects. RMA documents reading only; their fields are XML attributes."""

from __future__ import annotations

from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.fields import Integer
from airflow_provider_rma.schemas.text import Choice, Text


class DepartmentSchema(EntitySchema):
    """A department."""

    entity = "department"

    id = Integer(attribute=True)
    name = Text(attribute=True)
    role = Choice("P", "C", attribute=True, note="P profit centre, C cost centre; seen in transactions")


class ProjectSchema(EntitySchema):
    """A project."""

    entity = "project"

    id = Integer(attribute=True)
    number = Text(attribute=True, note="what filters take (seen in clients)")
    description = Text(attribute=True)
