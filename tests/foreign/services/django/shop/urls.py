from django.urls import path

from . import views

urlpatterns = [
    path("orders/<int:number>", views.order),
    path("files", views.upload),
    path("files/<int:id>", views.show, name="document"),
]
