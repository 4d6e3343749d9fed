"""Master data that the interface only reads: articles, accounts, departments, projects."""

from __future__ import annotations

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.http.operations.base import ApiRequest, Operation
from airflow_provider_rma.simulator.http.responses import Result
from airflow_provider_rma.simulator.http.serialise import (
    Values,
    render_boolean,
    render_day_or_instant,
    render_double,
    render_text,
)
from airflow_provider_rma.simulator.http.wire import Listing, Tree

#: From when an article may be used whose master data does not say it.
_FIRST_DAY = "2000-01-01"


def list_parts(books: Books, _: ApiRequest) -> Result:
    """List all articles."""
    return Listing("part", map(render_part, books.parts()), root="parts")


def list_charts(books: Books, _: ApiRequest) -> Result:
    """List all accounts, without the headings of the chart."""
    accounts = (account for account in books.accounts() if account["charttype"] == "A")
    return Listing("chart", map(render_chart, accounts), root="charts")


def list_departments(books: Books, _: ApiRequest) -> Result:
    """List all departments."""
    return Listing("department", map(render_department, books.departments()), root="departments")


def list_projects(books: Books, _: ApiRequest) -> Result:
    """List all projects."""
    return Listing("project", map(render_project, books.projects()), root="projects")


def render_part(part: Values) -> Tree:
    """Render an article."""
    return {
        "income_accno": render_text(part, "income_accno"),
        "expense_accno": render_text(part, "expense_accno"),
        "partnumber": part["partnumber"],
        "description": render_text(part, "description"),
        "unit": render_text(part, "unit"),
        "quantity": render_double(part.get("quantity") or 1),
        "sellprice": render_double(part.get("sellprice") or 0),
        "discount": render_double(part.get("discount") or 0),
        "itemnote": render_text(part, "itemnote"),
        "tax_accnos": " ".join(part.get("tax_accnos") or []),
        # Never empty (seen in clients).
        "price_update": render_day_or_instant(part.get("price_update") or _FIRST_DAY),
    }


def render_chart(account: Values) -> Tree:
    """Render an account. Its ``taxes`` are undocumented, and empty as in the documented sample."""
    return {
        "@id": str(account["id"]),
        "@accno": account["accno"],
        "@description": account["description"],
        "@link": account["link"],
        "@allow_gl": render_boolean(account["allow_gl"]),
        "@is_active": render_boolean(account.get("is_active", True)),
        "taxes": Listing("tax", []),
    }


def render_account_stub(accno: str) -> Tree:
    """Render an account inside another entity: the number only, as documented."""
    return {
        "@id": "0",
        "@accno": accno,
        "@link": "",
        "@allow_gl": "false",
        "@is_active": "true",
        "taxes": Listing("tax", []),
    }


def render_department(department: Values) -> Tree:
    """Render a department: attributes only."""
    return {"@id": str(department["id"]), "@name": department["name"], "@role": department["role"]}


def render_project(project: Values) -> Tree:
    """Render a project: attributes only."""
    return {
        "@id": str(project["id"]),
        "@number": project["number"],
        "@description": project.get("description") or "",
    }


OPERATIONS = (
    Operation("GET", ("parts",), "read_parts", list_parts),
    Operation("GET", ("charts",), "read_charts", list_charts),
    Operation("GET", ("departments",), "read_departments", list_departments),
    Operation("GET", ("projects",), "read_projects", list_projects),
)
