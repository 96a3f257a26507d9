"""Pulp: a fleet package server."""

__version__ = "0.2.0"
