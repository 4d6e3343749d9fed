"""How databases that SQLAlchemy knows list and mark objects, and which views they take."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy import bindparam, inspect, text
from sqlalchemy.engine import Connection

from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations.sql.session import MARK, DatabaseObject, is_mark


class Catalogue:
    """The catalogue of any database. Objects cannot be marked everywhere: the table of the contract vouches for all.

    :param prefix: beginning of the name of every table and view.
    """

    #: How a view takes the place of one of before; empty where it has to be dropped first.
    replaces_views = False

    def __init__(self, connection: Connection, prefix: str) -> None:
        self.connection = connection
        self.prefix = prefix

    def quote(self, name: str) -> str:
        """Write the name of a table or view in SQL."""
        return self.connection.dialect.identifier_preparer.quote_identifier(self.prefix + name)

    def find(self, names: Iterable[str]) -> dict[str, DatabaseObject]:
        """See :meth:`.WarehouseTransaction.find_objects`."""
        inspector = inspect(self.connection)
        present = {name.lower(): "table" for name in inspector.get_table_names()}
        present |= {name.lower(): "view" for name in inspector.get_view_names()}
        contract_table = f"{self.prefix}contract".lower()
        is_ours = (
            present.get(contract_table) == "table"
            and [str(column["name"]).lower() for column in inspector.get_columns(f"{self.prefix}contract")]
            == contract.PROVIDER_TABLES["contract"].names
        )
        found = ((name, present.get(f"{self.prefix}{name}".lower())) for name in names)
        return {name: DatabaseObject(kind, self.prefix + name, is_ours) for name, kind in found if kind}

    def mark(self, kind: str, name: str) -> None:
        """See :meth:`.WarehouseTransaction.mark`."""

    def write_view(self, name: str, query: str) -> str:
        """Write the statement that creates a view, with its mark in it."""
        return f"CREATE VIEW {self.quote(name)} AS\n{query}"


class SqliteCatalogue(Catalogue):
    """SQLite keeps the statements by which objects were created, but a table that is there cannot get a comment: its
    mark is an index without rows, which goes with the table."""

    _SUFFIX = "_kept_by_airflow_provider_rma"

    def find(self, names: Iterable[str]) -> dict[str, DatabaseObject]:
        rows = self.connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master")).all()
        marked = {table.lower() for kind, name, table, _ in rows if kind == "index" and name == table + self._SUFFIX}
        present = {name.lower(): (kind, name, sql) for kind, name, _, sql in rows if kind != "trigger"}
        found = {}
        for wanted in names:
            kind, name, sql = present.get(f"{self.prefix}{wanted}".lower(), ("", "", ""))
            if kind:
                is_marked = is_mark(sql) if kind == "view" else kind == "table" and name.lower() in marked
                found[wanted] = DatabaseObject(kind, name, is_marked)
        return found

    def mark(self, kind: str, name: str) -> None:
        if kind == "table":
            first = inspect(self.connection).get_columns(self.prefix + name)[0]["name"]
            self.connection.execute(
                text(f'CREATE INDEX {self.quote(name + self._SUFFIX)} ON {self.quote(name)} ("{first}") WHERE 0')
            )

    def write_view(self, name: str, query: str) -> str:
        return f"CREATE VIEW {self.quote(name)} AS /* {MARK} */\n{query}"


class PostgresCatalogue(Catalogue):
    """PostgreSQL through any driver: comments on tables and views of the current schema."""

    replaces_views = True

    def find(self, names: Iterable[str]) -> dict[str, DatabaseObject]:
        wanted = {self.prefix + name: name for name in names}
        query = text(
            "SELECT CASE relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' "
            "WHEN 'S' THEN 'sequence' ELSE 'relation' END, relname, obj_description(pg_class.oid, 'pg_class') "
            "FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
            "WHERE nspname = current_schema() AND relname IN :names "
            "UNION ALL SELECT 'type', typname, NULL FROM pg_type JOIN pg_namespace ON pg_namespace.oid = typnamespace "
            "WHERE nspname = current_schema() AND typname IN :names AND typrelid = 0"
        ).bindparams(bindparam("names", list(wanted), expanding=True))
        rows = self.connection.execute(query).all()
        return {wanted[name]: DatabaseObject(kind, name, is_mark(comment)) for kind, name, comment in rows}

    def mark(self, kind: str, name: str) -> None:
        self.connection.execute(text(f"COMMENT ON {kind.upper()} {self.quote(name)} IS '{MARK}'"))


class MySqlCatalogue(Catalogue):
    """MySQL and MariaDB: comments on tables. A view has none, so its query is wrapped under a name that tells."""

    replaces_views = True
    _ALIAS = "kept_by_airflow_provider_rma"
    #: What the views say, and what MySQL calls it.
    _WORDS = (
        (re.compile(r"\bAS VARCHAR\)"), "AS CHAR)"),
        (re.compile(r"\bAS (?:INTEGER|BIGINT)\)"), "AS SIGNED)"),
        (re.compile(r"\bchr\((\d+)\)"), r"char(\1 USING utf8mb4)"),
        (re.compile(r"\bINTERVAL '(\d+) (\w+)'"), r"INTERVAL \1 \2"),
    )

    def find(self, names: Iterable[str]) -> dict[str, DatabaseObject]:
        is_exact = self.connection.execute(text("SELECT @@lower_case_table_names")).scalar() == 0
        wanted = {self.prefix + name: name for name in names}
        rows = self.connection.execute(
            text(
                "SELECT lower(listed.table_type), listed.table_name, listed.table_comment, view_definition "
                "FROM information_schema.tables AS listed LEFT JOIN information_schema.views AS defined "
                "ON defined.table_schema = listed.table_schema AND defined.table_name = listed.table_name "
                "WHERE listed.table_schema = DATABASE()"
            )
        ).all()
        found = {}
        for kind, name, comment, definition in rows:
            # Names that differ in case alone are the same where the file system says so.
            ours = wanted.get(name if is_exact else name.lower())
            if ours is not None:
                is_marked = is_mark(comment) or f"`{self._ALIAS}`" in (definition or "")
                kind = "table" if kind == "base table" else kind
                found[ours] = DatabaseObject(kind, name, is_marked)
        return found

    def mark(self, kind: str, name: str) -> None:
        if kind == "table":
            self.connection.execute(text(f"ALTER TABLE {self.quote(name)} COMMENT = '{MARK}'"))

    def write_view(self, name: str, query: str) -> str:
        for pattern, word in self._WORDS:
            query = pattern.sub(word, query)
        return f"CREATE VIEW {self.quote(name)} AS\nSELECT * FROM (\n{query}\n) AS {self._ALIAS}"


_CATALOGUES = {
    "sqlite": SqliteCatalogue,
    "postgresql": PostgresCatalogue,
    "mysql": MySqlCatalogue,
    "mariadb": MySqlCatalogue,
}


def open_catalogue(connection: Connection, prefix: str) -> Catalogue:
    """Return the catalogue of a connection's database."""
    return _CATALOGUES.get(connection.dialect.name, Catalogue)(connection, prefix)
