"""Billing that never books twice and loses nothing: plan, journal, one POST, read-back, outcome."""
