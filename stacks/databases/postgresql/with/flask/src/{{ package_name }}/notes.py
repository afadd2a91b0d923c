"""An example: notes that are stored in the database."""

from typing import Any

from flask import Blueprint, request
from sqlalchemy import select

from .database import session
from .models import Note

blueprint = Blueprint("notes", __name__)


@blueprint.get("/notes")
def newest() -> list[dict[str, Any]]:
    """Return the newest notes."""
    notes = session.scalars(select(Note).order_by(Note.id.desc()).limit(100))
    return [{"id": note.id, "text": note.text} for note in notes]


@blueprint.post("/notes")
def add() -> tuple[dict[str, Any], int]:
    """Store a note."""
    match request.get_json():
        case {"text": str(text)} if 1 <= len(text) <= 200 and text.isprintable():
            note = Note(text=text)
            session.add(note)
            session.commit()
            return {"id": note.id, "text": note.text}, 201
        case _:
            return {"error": "text: give it 1 to 200 printable characters"}, 422
