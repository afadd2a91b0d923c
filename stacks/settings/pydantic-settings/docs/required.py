from pydantic import SecretStr

    api_token: SecretStr
