"""An example: notes that are stored in the database."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import select

from .database import Session
from .models import Note

router = APIRouter(prefix="/notes")


def printable(text: str) -> str:
    """Refuse control characters: PostgreSQL can't store all of them."""
    if not text.isprintable():
        raise ValueError("write printable characters")
    return text


class NewNote(BaseModel):
    """A note that is to be stored."""

    text: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(printable)]


class StoredNote(BaseModel):
    """A note with its number."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    text: str


@router.get("", response_model=list[StoredNote])
async def newest(session: Session) -> Sequence[Note]:
    """Return the newest notes."""
    notes = await session.scalars(select(Note).order_by(Note.id.desc()).limit(100))
    return notes.all()


@router.post("", response_model=StoredNote, status_code=201)
async def add(new: NewNote, session: Session) -> Note:
    """Store a note."""
    note = Note(text=new.text)
    session.add(note)
    await session.commit()
    return note
