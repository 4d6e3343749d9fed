from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.hooks.warehouse import open_warehouse
from airflow_provider_rma.ledger.destinations.address import refuse_credentials
from airflow_provider_rma.operators.ledger import (
    RunMyAccountsEstimateLedgerOperator,
    RunMyAccountsExtractLedgerOperator,
)

SECRET = "geheim123"
ADDRESSES = [
    f"postgresql://ada:{SECRET}@db/books",
    f"postgresql://db/books?password={SECRET}",
    f"postgresql://db/books?schema=rma&PASSWORD={SECRET}",
    f"postgresql://db/books?p%61ssword={SECRET}",
    f"postgresql://db/books?p%2561ssword={SECRET}",
    f"postgresql://db/books%3Fpassword%3D{SECRET}",
    f"postgresql://db/books?sslpassword={SECRET}",
    f"postgresql://db/books?user={SECRET}",
    f"postgresql://db/books;pwd={SECRET}",
    f"postgresql://db/books#token={SECRET}",
    f"postgresql://db/books?application_name=x;user={SECRET}",
    f"mysql+pymysql://db/books?passwd={SECRET}",
    f"mssql+pyodbc://db/books?UID=sa;PWD={SECRET}",
    f"duckdb:///l.duckdb?motherduck_token={SECRET}",
    f"duckdb:md:books?motherduck_token={SECRET}",
    f"l.duckdb?MotherDuck_Token={SECRET}",
    f"conn://warehouse?password={SECRET}",
    f"s3://bucket/ledger?access_key={SECRET}",
    f"s3://bucket/ledger?aws_secret_access_key={SECRET}",
    f"s3://AKIA:{SECRET}@bucket/ledger",
    f"abfs://box@account/ledger?sas_token={SECRET}",
    f"az://box/ledger?account_key={SECRET}",
    f"gs://bucket/ledger?sig={SECRET}",
    f"parquet:///folder?api-key={SECRET}",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_credentials_anywhere_in_an_address_are_refused_without_repeating_them(address: str) -> None:
    with pytest.raises(ConfigurationError, match="holds credentials") as caught:
        open_warehouse(address)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("address", [*ADDRESSES, "postgresql://db/books?password={{ var.value.secret }}"])
@pytest.mark.parametrize("operator", [RunMyAccountsExtractLedgerOperator, RunMyAccountsEstimateLedgerOperator])
def test_they_are_refused_when_the_dag_is_parsed(operator: type, address: str) -> None:
    with pytest.raises(ConfigurationError, match="holds credentials") as caught:
        operator(task_id="ledger", destination=address)
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigurationError, match="holds credentials"):
        operator.partial(task_id="ledger", destination=address)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://db:5432/books?schema=rma&sslmode=require&application_name=user",
        "postgresql://db/books?passfile=/run/secrets/pgpass&sslkey=/run/secrets/key.pem",
        "duckdb:////data/password=1/ledger.duckdb",
        "s3://aws_default@bucket/ledger",
        "conn://{{ params.conn }}?table_prefix=user_",
        "sqlite:////data/token.db",
        "/data/user=ada/ledger.duckdb",
    ],
)
def test_addresses_without_credentials_are_taken(address: str) -> None:
    refuse_credentials(address, is_database=address.startswith(("postgresql", "sqlite", "conn")))


@given(st.text(), st.sampled_from("?&;#"), st.sampled_from(["password", "Token", "ACCESS_KEY", "pa%73sword"]))
def test_wherever_an_option_with_a_secret_is_it_is_seen(address: str, mark: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match="holds credentials"):
        refuse_credentials(f"{address}{mark}{name}=x", is_database=False)


@pytest.mark.parametrize("schema", ["", 'x"; DROP SCHEMA public; --', "a.b", "x" * 80, "a\nb", "a'b", "../x"])
@pytest.mark.parametrize("address", ["duckdb:///l.duckdb", "postgresql://db/books"])
def test_a_schema_is_checked_like_a_prefix(address: str, schema: str) -> None:
    from airflow_provider_rma.ledger.destinations.open import open_destination

    with pytest.raises(ConfigurationError, match="schema is not a name"):
        open_destination(address, schema=schema)
    with pytest.raises(ConfigurationError, match="table_prefix is not a name"):
        open_destination("sqlite:///l.db", table_prefix=schema or "-")
