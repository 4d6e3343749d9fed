"""Operators for Run my Accounts."""
