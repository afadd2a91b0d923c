def secret(_: object, attribute: Attribute[str], value: str) -> None:
    """Refuse an empty secret."""
    if not value:
        name = attribute.name.upper()
        cure = "give it a long random text, such as `openssl rand -base64 48` writes"
        raise ValueError(f"{name} is missing: {cure}")


def database_url(_: object, attribute: Attribute[str], value: str) -> None:
    """Refuse an invalid URL, without its value in the error: it has a password."""
    try:
        dj_database_url.parse(value)
    except ValueError as error:
        raise ValueError(f"{attribute.name.upper()} is invalid: {error}") from None


