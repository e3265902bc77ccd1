"""Reads over several tables, one module a screen. Each answer takes a fixed number of queries."""
