"""Runs agents: claim, lease, graph, settle. Whatever happens in between, the database says what to do next."""
