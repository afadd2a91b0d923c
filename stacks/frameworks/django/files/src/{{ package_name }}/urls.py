"""The view of each URL; /livez and /readyz are in probes.py."""

from django.contrib import admin
from django.urls import path

from . import views

urlpatterns = [
    path("", views.index),
    path("admin/", admin.site.urls),
]
