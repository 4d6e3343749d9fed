"""The Airflow settings of section ``[rma]``: where files go and where the journal lives."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_rma.billing.files import folder_name
from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.get_provider_info import get_provider_info
from airflow_provider_rma.hooks.lookup import get_connection

if TYPE_CHECKING:
    import sqlalchemy
    from airflow.providers.common.compat.sdk import ObjectStoragePath

SECTION = "rma"

#: Extras of a connection of type ``postgres`` that its hook hands to the driver but leaves out of the URL.
_LIBPQ_EXTRAS = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "gssencmode",
    "target_session_attrs",
    "options",
)

#: Executors that run every task on the machine of the scheduler. Any other may use several machines.
_LOCAL_EXECUTORS = frozenset({"LocalExecutor", "SequentialExecutor", "DebugExecutor"})


def storage_path() -> ObjectStoragePath:
    """Folder for plans, outcomes, rejects and evidence: ``[rma] storage_path``, or ``rma`` below AIRFLOW_HOME.

    :raises ConfigurationError: if there is no storage behind it.
    """
    from airflow_provider_rma.hooks.storage import find_storage

    # Not as_uri(): Airflow takes a path as it stands, so an escaped blank would name another folder.
    return find_storage(f"[{SECTION}] storage_path", _text("storage_path") or f"file://{_airflow_home() / 'rma'}")


def tenant_folder(tenant: str, base: str | None = None) -> ObjectStoragePath:
    """Folder of a tenant's files.

    :param base: path or URL in place of ``[rma] storage_path``.
    :raises ConfigurationError: if there is no storage behind it.
    """
    from airflow_provider_rma.hooks.storage import find_storage

    return (find_storage("output_path", str(base)) if base else storage_path()) / folder_name(tenant)


def run_folder(tenant: str, kind: str, ti: Any, base: str | None = None) -> ObjectStoragePath:
    """Folder for the files of one try of a task; no two tries share one.

    :param kind: what the files are about, e.g. ``invoices``.
    :param ti: the task instance.
    :param base: path or URL in place of ``[rma] storage_path``.
    """
    # No plain name holds a tilde, so that x[1] and a task x-1 do not meet.
    mapped = "" if ti.map_index < 0 else f"~map{ti.map_index}"
    task = f"{folder_name(ti.task_id)}{mapped}-try{ti.try_number}"
    return tenant_folder(tenant, base).joinpath(kind, folder_name(ti.dag_id), folder_name(ti.run_id), task)


def file_mode() -> int:
    """Mode of files with personal data on local file systems: ``[rma] file_mode``, octal.

    :raises ConfigurationError: if the setting is not a mode that lets the owner read and write.
    """
    text = _text("file_mode") or "600"
    if not re.fullmatch(r"(0o?)?[0-7]{3}", text) or int(text[-3:], 8) & 0o711 != 0o600:
        raise ConfigurationError(
            f"[{SECTION}] file_mode must be three octal digits that let the owner read and write.",
            advice="Use 600, or 660 where tasks run as several users of one group.",
        )
    return int(text[-3:], 8)


def retention_days() -> int:
    """How long plans and outcome files are kept, in days.

    :raises ConfigurationError: if the setting is not an integer ≥ 1.
    """
    text = _text("retention_days")
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ConfigurationError(
            f"[{SECTION}] retention_days is not a whole number of at least 1.", advice="Give a number of days."
        )
    return int(text)


def journal_engine() -> sqlalchemy.Engine:
    """Open the database of the journal.

    :raises ConfigurationError: see :func:`journal_url`.
    :raises JournalError: if the database is neither SQLite nor PostgreSQL.
    """
    from airflow_provider_rma.billing.journal.engine import open_engine

    return open_engine(journal_url(), file_mode=file_mode())


def journal_url() -> str:
    """SQLAlchemy URL of the journal's database, with its password: not for logs.

    It is the database of ``[rma] journal_conn_id``, or the SQLite file ``rma/journal.db`` below AIRFLOW_HOME.

    :raises ConfigurationError: if it is a SQLite file while the executor may run tasks on several machines, or the
        connection does not lead to a database.
    """
    conn_id = _text("journal_conn_id")
    if conn_id:
        url = _database_url(conn_id)
    else:
        folder = _airflow_home() / "rma"
        url = f"sqlite:///{folder / 'journal.db'}"
    if url.startswith("sqlite"):
        _refuse_several_machines()
    return url


def _text(name: str) -> str:
    # Airflow 3.1 knows the declared default only where it has read the provider info: in tasks, not everywhere.
    declared = get_provider_info()["config"][SECTION]["options"][name]["default"]
    return str(conf.get(SECTION, name, fallback=declared) or "").strip()


def _airflow_home() -> Path:
    return Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow")).expanduser().absolute()


def _database_url(conn_id: str) -> str:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        connection: Any = get_connection(conn_id)
        hook = connection.get_hook()
        try:
            url = make_url(hook.sqlalchemy_url)
        except NotImplementedError:
            url = make_url(hook.get_uri())
    except (AttributeError, ImportError, ValueError, SQLAlchemyError) as error:
        raise _no_database(conn_id) from error
    except Exception as error:
        if type(error).__module__.startswith("airflow."):
            raise _no_database(conn_id) from error
        raise
    if url.get_backend_name() == "postgresql":
        extras = connection.extra_dejson
        given = {name: str(extras[name]) for name in _LIBPQ_EXTRAS if extras.get(name) and name not in url.query}
        url = url.update_query_dict(given)
    return url.render_as_string(hide_password=False)


def _no_database(conn_id: str) -> ConfigurationError:
    return ConfigurationError(
        f"[{SECTION}] journal_conn_id: connection {conn_id!r} does not lead to a database.",
        advice="Use a connection of type postgres, and install airflow-provider-rma[postgres].",
    )


def _refuse_several_machines() -> None:
    if conf.getboolean(SECTION, "allow_local_journal", fallback=False):
        return
    spanning = _spanning_executors(conf.get("core", "executor", fallback=""))
    # A pod of the KubernetesExecutor is told that its executor is the LocalExecutor.
    if os.environ.get("AIRFLOW_IS_K8S_EXECUTOR_POD"):
        spanning.append("KubernetesExecutor")
    if spanning:
        raise ConfigurationError(
            f"The journal is a SQLite file, and {', '.join(spanning)} may run tasks on several machines, "
            "each with a journal of its own.",
            advice=(
                f"Point [{SECTION}] journal_conn_id to a PostgreSQL connection, "
                f"or set [{SECTION}] allow_local_journal if all tasks run on one machine."
            ),
        )


def _spanning_executors(setting: str | None) -> list[str]:
    """Executors of ``[core] executor`` that are not known to be local.

    The setting is a list separated by commas; each entry is a name, a class path, or ``alias:either``; entries of one
    team stand behind ``team=``, and teams are separated by semicolons.
    """
    entries = [entry.strip() for team in (setting or "").split(";") for entry in team.rpartition("=")[2].split(",")]
    names = [entry.rpartition(":")[2].rpartition(".")[2] for entry in entries if entry]
    return [name for name in names if name not in _LOCAL_EXECUTORS]
