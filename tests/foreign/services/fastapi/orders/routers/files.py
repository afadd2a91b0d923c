import shutil, uuid
from pathlib import Path

from fastapi import APIRouter, Header, HTTPException, Request, UploadFile

from orders.settings import settings

router = APIRouter(prefix="/files", tags=["files"])


@router.post("")
def upload(file: UploadFile, request: Request, authorization: str = Header()):
    if authorization != f"Bearer {settings.api_token}":
        raise HTTPException(403)
    name = uuid.uuid4().hex
    with (Path(settings.uploads) / name).open("wb") as f:
        shutil.copyfileobj(file.file, f)
    return {"id": name, "url": request.url_for("show", name=name).path}


@router.get("/{name}")
def show(name: str):
    path = Path(settings.uploads) / name
    if not path.is_file():
        raise HTTPException(404)
    return {"id": name, "size": path.stat().st_size}
