"""What happens when an agent calls a tool, as data that people edit: pure rules, no rows."""
