from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
