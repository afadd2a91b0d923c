from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import event, exc, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from . import health

if TYPE_CHECKING:
    from fastapi import Request
    from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
    from sqlalchemy.pool import ConnectionPoolEntry
