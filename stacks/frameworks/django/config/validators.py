def secret(_: object, attribute: Attribute[str], value: str) -> None:
    """Refuse an empty secret."""
    if not value:
        name = attribute.name.upper()
        cure = "give it a long random text, such as `openssl rand -base64 48` writes"
        raise ValueError(f"{name} is missing: {cure}")


def database_url(_: object, attribute: Attribute[str], value: str) -> None:
    """Refuse what names no database. The error doesn't show it: it holds a password."""
    try:
        dj_database_url.parse(value)
    except ValueError as error:
        raise ValueError(f"{attribute.name.upper()} is no use: {error}") from None


