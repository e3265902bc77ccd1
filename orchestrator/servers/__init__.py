"""PostgreSQL and Redis from their Python packages, run as plain children of whoever needs them."""
