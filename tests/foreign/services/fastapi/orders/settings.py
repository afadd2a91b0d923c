from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    api_token: str
    uploads: str = '/tmp/uploads'


settings = Settings()
