"""Changes to rows that must agree: lock, check, write, record, in one transaction."""
