from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import TestCase, override_settings
import tempfile


class ViewsTest(TestCase):
    def test_order(self):
        assert self.client.get("/orders/3").json()["number"] == 3

    def test_page(self):
        self.assertContains(self.client.get("/orders/3", headers={"Accept": "text/html"}), "Order 3")

    def test_upload(self):
        with tempfile.TemporaryDirectory() as folder, override_settings(MEDIA_ROOT=folder):
            answer = self.client.post("/files", {"file": SimpleUploadedFile("a.txt", b"1\n2\n")})
            assert self.client.get(answer.json()["url"]).json()["size"] == 4

    def test_migrations_are_complete(self):
        call_command("makemigrations", check=True)
