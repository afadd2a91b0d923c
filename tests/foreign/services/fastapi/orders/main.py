from contextlib import asynccontextmanager
from pathlib import Path

import arrow
from fastapi import FastAPI

from orders.routers import files, orders
from orders.settings import settings


@asynccontextmanager
async def lifespan(app):
    app.state.epoch = arrow.get(0)
    Path(settings.uploads).mkdir(exist_ok=True)
    yield


def unique_id(route):
    return f"{route.tags[0]}-{route.name}"


app = FastAPI(title="Orders", lifespan=lifespan, generate_unique_id_function=unique_id)
app.include_router(orders.router)
app.include_router(files.router)
