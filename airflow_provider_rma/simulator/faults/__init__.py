"""Faults on purpose: what goes wrong, and how a response is cut, delayed or lost.

`rules` decides which request meets which fault; `delivery` and `connection` carry it out.
"""
