    # Signs sessions and the like. No default: whoever knows it can be anybody.
    secret_key: Secret = environ.var("", converter=Secret, validator=secret)
    debug: bool = environ.bool_var(False)
    csrf_trusted_origins: list[str] = environ.var("", converter=comma_separated)
    # A secret, because it holds a password.
    database_url: Secret = environ.var(
        "sqlite:///db.sqlite3", converter=Secret, validator=database_url
    )
    # Where the build of the image collects static files. Without it, as in tests and
    # local work, they are served from where they lie.
    static_root: str = environ.var("")
