"""Apache Airflow provider for Run my Accounts (RMA)."""
