import arrow
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from .models import Document


def order(request, number):
    due = arrow.get(0).shift(days=number)
    if "text/html" in request.headers.get("Accept", ""):
        return render(request, "shop/order.html", {'number': number, 'due': due})
    return JsonResponse({"number": number, "due": due.isoformat()})


@csrf_exempt
def upload(request):
    document = Document.objects.create(file=request.FILES["file"])
    return JsonResponse({"id": document.id, "url": reverse("document", args=[document.id])})


def show(request, id):
    document = get_object_or_404(Document, pk=id)
    return JsonResponse({"id": document.id, "size": document.file.size, "lines": document.lines})
