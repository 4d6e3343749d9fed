"""Transfers into Run my Accounts."""
