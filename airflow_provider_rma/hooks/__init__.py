"""Airflow connections and settings, turned into the plain things the core works with."""
