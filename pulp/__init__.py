"""Pulp: a fleet package server."""

__version__ = "0.1.0"
