"""Names that lie elsewhere in Airflow 3.1, and since when there are some. Imports Airflow."""

from __future__ import annotations

from importlib.metadata import version

from airflow.providers.common.compat.sdk import TaskDeferred
from packaging.version import Version

AIRFLOW = Version(version("apache-airflow-core"))
HAS_AIRFLOW_32 = Version("3.2") <= AIRFLOW
HAS_AIRFLOW_33 = Version("3.3") <= AIRFLOW

if HAS_AIRFLOW_32:
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.sdk.exceptions import DownstreamTasksSkipped
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime as RuntimeProvidersManager
else:
    from airflow.exceptions import DownstreamTasksSkipped
    from airflow.models.dagbag import DagBag, sync_bag_to_db  # noqa: TID251 - its place before 3.2
    from airflow.providers_manager import ProvidersManager as RuntimeProvidersManager

#: What a task raises that begins to wait.
WAYS_TO_WAIT: dict[str, type[BaseException]] = {"3.1 and 3.2": TaskDeferred}
if HAS_AIRFLOW_33:
    from airflow.sdk.exceptions import TaskAwaitingInput

    WAYS_TO_WAIT["3.3"] = TaskAwaitingInput

__all__ = [
    "HAS_AIRFLOW_32",
    "HAS_AIRFLOW_33",
    "WAYS_TO_WAIT",
    "DagBag",
    "DownstreamTasksSkipped",
    "RuntimeProvidersManager",
    "sync_bag_to_db",
]
