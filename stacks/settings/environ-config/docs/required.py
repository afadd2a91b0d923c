    api_token: Secret = environ.var(converter=Secret)
