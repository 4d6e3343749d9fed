"""What Airflow reads at start-up, in every process: standard library only, and nothing in here may fail.

The connection form is declared here and nowhere else: Airflow 3.3 shows only what this dictionary says, and
:class:`~airflow_provider_rma.hooks.rma.RunMyAccountsHook` builds the form of Airflow 3.1 from the same dictionary.
"""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Run my Accounts"


def get_provider_info() -> dict[str, Any]:
    """Describe this provider in the form Airflow's ``provider_info.schema.json`` asks for."""
    return {
        "package-name": "airflow-provider-rma",
        "name": "Run my Accounts",
        "description": (
            "Billing and ledger extracts for Run my Accounts (RMA), the Swiss accounting service: "
            "no invoice booked twice, none lost."
        ),
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://www.runmyaccounts.ch/",
                "tags": ["service"],
            }
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "airflow_provider_rma.operators.approval",
                    "airflow_provider_rma.operators.billing",
                    "airflow_provider_rma.operators.cancellation",
                    "airflow_provider_rma.operators.ledger",
                ],
            }
        ],
        "hooks": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": ["airflow_provider_rma.hooks.rma"],
            }
        ],
        "transfers": [
            {
                "source-integration-name": "Common SQL",
                "target-integration-name": _INTEGRATION,
                "python-module": "airflow_provider_rma.transfers.sql_to_rma",
            }
        ],
        "connection-types": [
            {
                "connection-type": "rma",
                "hook-class-name": "airflow_provider_rma.hooks.rma.RunMyAccountsHook",
                "hook-name": "Run my Accounts",
                "ui-field-behaviour": _field_behaviour(),
                "conn-fields": {**_service_fields(), **_write_fields(), **_transport_fields()},
            }
        ],
        "config": {"rma": {"description": "Run my Accounts provider.", "options": _options()}},
    }


def _field_behaviour() -> dict[str, Any]:
    return {
        "hidden-fields": ["login"],
        "relabeling": {"schema": "Tenant (Mandant)", "password": "Token"},
        "placeholders": {
            "host": "empty: the address of the environment chosen below",
            "schema": "the tenant's short name, as in the service's addresses",
            "password": "pat_…",
        },
    }


def _service_fields() -> dict[str, Any]:
    return {
        "environment": _field(
            "Environment",
            "Which address is used when Host is empty: live or sandbox.",
            ["string", "null"],
            default="live",
            enum=["live", "sandbox"],
        ),
        "auth_scheme": _field(
            "Authentication scheme",
            "How the token is sent. The live service accepts bearer only; "
            "rma_key (header X-RMA-KEY) and query (in the address) are for older installations.",
            ["string", "null"],
            default="bearer",
            enum=["bearer", "rma_key", "query"],
        ),
        "allow_key_in_url": _field(
            "Allow the token in the address",
            "Needed for the scheme query: addresses end up in the logs of proxies and servers.",
            ["boolean", "null"],
            default=False,
        ),
        "api_version": _field(
            "API version", "Part of every address. Default: latest.", ["string", "null"], default="latest"
        ),
        "content_type": _field(
            "Content type",
            "In which form requests and responses travel, unless a task says otherwise.",
            ["string", "null"],
            default="json",
            enum=["json", "xml"],
        ),
    }


def _write_fields() -> dict[str, Any]:
    return {
        "allow_writes": _field(
            "Allow writes",
            "Off: the connection is read-only and every POST is refused before anything is sent.",
            ["boolean", "null"],
            default=False,
        ),
        "closed_until": _field(
            "Books closed until",
            "Last day of the closed period, inclusive (YYYY-MM-DD). "
            "Documents dated on or before it are refused before anything is sent.",
            ["string", "null"],
            format="date",
        ),
    }


def _transport_fields() -> dict[str, Any]:
    return {
        "connect_timeout": _seconds("Connect time-out", "Seconds to wait for the connection. Default: 10."),
        "read_timeout": _seconds("Read time-out", "Seconds of silence after which a read is given up. Default: 300."),
        "total_deadline": _seconds("Total deadline", "Seconds one write may take as a whole. Default: 120."),
        "max_in_flight": _field(
            "Requests at a time",
            "How many requests one task may have under way at a time. Default: 1.",
            ["integer", "null"],
            minimum=1,
        ),
        "verify": _field(
            "Verify the certificate",
            "true (default), false, or the path of a file with the certificates of your own authority.",
            ["string", "null"],
        ),
        "proxies": _field(
            "Proxy",
            'Address of a proxy, or JSON such as {"https": "http://proxy.example.com:3128"}. '
            "No password here: extras are shown in clear.",
            ["string", "null"],
        ),
        "allow_http": _field(
            "Allow http",
            "Needed for a host without TLS on another machine: the token travels in clear.",
            ["boolean", "null"],
            default=False,
        ),
    }


def _field(label: str, description: str, kind: list[str], **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": kind, **schema}}


def _seconds(label: str, description: str) -> dict[str, Any]:
    return _field(label, description, ["number", "null"], minimum=0.1)


def _options() -> dict[str, Any]:
    return {
        "storage_path": {
            "description": (
                "Folder for plans, outcomes, rejects and evidence: a path on any object storage Airflow can reach, "
                "optionally with a connection as in s3://my_conn@bucket/rma. "
                "Empty: the folder rma below AIRFLOW_HOME."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "s3://aws_default@my-bucket/rma",
            "default": "",
        },
        "journal_conn_id": {
            "description": (
                "Connection of the database that keeps the journal of everything sent. "
                "All workers must share one journal. Empty: a SQLite file at rma/journal.db below AIRFLOW_HOME."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "rma_journal",
            "default": "",
        },
        "allow_local_journal": {
            "description": (
                "Accept a SQLite journal although the executor may run tasks on several machines. "
                "Two machines with a journal each can book the same invoice twice: "
                "set this only if all tasks of this provider run on one machine or share the file."
            ),
            "version_added": "0.1.0",
            "type": "boolean",
            "example": None,
            "default": "False",
        },
        "file_mode": {
            "description": (
                "Mode of files with personal data and of a SQLite journal on local file systems, as octal digits, "
                "whatever the umask; folders follow. Use 660 where tasks run as several users of one group."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "660",
            "default": "600",
        },
        "retention_days": {
            "description": (
                "How many days plans and outcome files are kept, in days. The journal is not affected: "
                "it must remember every number that was ever sent."
            ),
            "version_added": "0.1.0",
            "type": "integer",
            "example": None,
            "default": "400",
        },
    }
