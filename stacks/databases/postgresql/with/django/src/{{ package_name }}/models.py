"""What the service stores."""

from django.db import models


class Note(models.Model):
    """A short text."""

    text = models.TextField()

    def __str__(self) -> str:
        """Show the text."""
        return self.text
