        if "uwsgi.version" in environ:
            # uWSGI sets the scheme from X-Forwarded-Proto of any client.
            https = environ.get("HTTPS") == "on"
            environ["wsgi.url_scheme"] = "https" if https else "http"
