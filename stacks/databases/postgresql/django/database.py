# What an unavailable database raises.
UNAVAILABLE = (OperationalError, InterfaceError)


def settings(url: str) -> dict[str, Any]:
    """Return Django's settings for the database that the URL names.

    Raises:
        ValueError: It is invalid. The message doesn't show it: it may have a password.
    """
    form = "give it the form postgresql://user@host/name"
    try:
        database: dict[str, Any] = {**dj_database_url.parse(url)}
    except ValueError:
        raise ValueError(f"DATABASE_URL is invalid: {form}") from None
    if database.get("ENGINE") != "django.db.backends.postgresql":
        raise ValueError(f"DATABASE_URL is invalid: {form}")
    return {
        **database,
        "PASSWORD": password() or database["PASSWORD"],
        "ENGINE": f"{__package__}.postgresql",
        "OPTIONS": {**PARAMETERS, **database.get("OPTIONS", {})},
        # Each thread keeps its connection, and replaces it if the server has closed it.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }


def server_error(request: HttpRequest) -> HttpResponse:
    """Respond to a request that failed: with 503 while the database is unavailable."""
    error = sys.exc_info()[1]
    if not isinstance(error, UNAVAILABLE):
        return defaults.server_error(request)
    log.error("database unavailable", reason=str(error))
    response = JsonResponse({"error": "database unavailable"}, status=503)
    # Django would log the traceback, for each request.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
