import asyncio
from typing import Any
