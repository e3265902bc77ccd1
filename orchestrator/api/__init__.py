"""The REST interface: for programs, what the pages are for people. Every decision goes through the same actions."""
