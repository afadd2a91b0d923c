    # Signs sessions and links. No default: with a known key, anyone could forge them.
    secret_key: Secret = environ.var("", converter=Secret, validator=secret)
    debug: bool = environ.bool_var(False)
    csrf_trusted_origins: list[str] = environ.var("", converter=comma_separated)
    # A secret, because it holds a password.
{% if stack.database.name %}
    database_url: Secret = environ.var("", converter=Secret, validator=database_url)
{% else %}
    database_url: Secret = environ.var(
        "sqlite:///db.sqlite3", converter=Secret, validator=database_url
    )
{% endif %}
    # The folder where the image's build collects static files. If it isn't set, as in
    # tests and local work, they are served from the apps' folders.
    static_root: str = environ.var("")
