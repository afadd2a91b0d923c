def load(_: int) -> tuple[App, dict[str, Any]]:
    """Begin to log as the service does; return the app, and libpq's parameters."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{__package__}.settings")
    django.setup()
    from .jobs import app

    return app, connector_params()
