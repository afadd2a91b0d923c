import os

from .base import *

DEBUG = False
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")
MEDIA_ROOT = os.environ.get("MEDIA_ROOT", BASE_DIR / "media")
