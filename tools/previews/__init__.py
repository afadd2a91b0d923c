"""Previews of what Copier would do to services, made in temporary clones of them; tools/preview.py runs them."""
