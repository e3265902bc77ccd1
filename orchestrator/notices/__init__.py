"""Tells people and webhooks of requests: what is said, how it gets there, and who carries it."""
