"""pyarrow, imported once. A package that is missing becomes an error that names the extra to install.

Modules that run behind an operator's ``execute`` take pyarrow from here at their top::

    from airflow_provider_rma.ledger._pyarrow import pa, pc
"""

from __future__ import annotations

from airflow_provider_rma.ledger.extras import translate_import_error

__all__ = ["ipc", "pa", "pc"]

with translate_import_error("parquet"):
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import ipc
