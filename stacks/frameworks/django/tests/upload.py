from io import BytesIO

from django.test import RequestFactory

form = {"file": BytesIO(bytes(int(sys.argv[1])))}
print(RequestFactory().post("/", form).FILES["file"].size)
