def connection_parameters() -> dict[str, Any]:
    """Return libpq's parameters for the database that DATABASE_URL names.

    Raises:
        ValueError: It is missing or invalid. The message doesn't show it: it may have a
            password.
    """
    url = os.environ.get("DATABASE_URL", "")
    form = "give it the form postgresql://user@host/name"
    if not url:
        raise ValueError(f"DATABASE_URL is missing: {form}")
    try:
        parameters = {**PARAMETERS, **conninfo_to_dict(url, password=password())}
    except psycopg.ProgrammingError:
        raise ValueError(f"DATABASE_URL is invalid: {form}") from None
    return parameters


