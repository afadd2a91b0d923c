"""Django's database backend for PostgreSQL, with a pause after a failed connection."""
