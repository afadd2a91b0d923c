"""An example: notes that are stored in the database."""

import json

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from .models import Note


# Clients of an API have no form, and so no CSRF token.
@csrf_exempt
@require_http_methods(["GET", "POST"])
def notes(request: HttpRequest) -> JsonResponse:
    """Return the newest notes, or store one."""
    if request.method == "GET":
        newest = Note.objects.order_by("-id")[:100]
        return JsonResponse(list(newest.values("id", "text")), safe=False)
    match parse(request.body):
        case {"text": str(text)} if 1 <= len(text) <= 200 and text.isprintable():
            note = Note.objects.create(text=text)
            return JsonResponse({"id": note.id, "text": note.text}, status=201)
        case _:
            error = "text: give it 1 to 200 printable characters"
            return JsonResponse({"error": error}, status=422)


def parse(body: bytes) -> object:
    """Return what the JSON contains, or None if it isn't JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return None
