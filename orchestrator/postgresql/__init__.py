"""Django's PostgreSQL backend with a pool that knows cheaply whether a connection lives."""
