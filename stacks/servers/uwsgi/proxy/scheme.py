        if "uwsgi.version" in environ:
            # uWSGI takes the scheme from X-Forwarded-Proto, whoever sends it.
            https = environ.get("HTTPS") == "on"
            environ["wsgi.url_scheme"] = "https" if https else "http"
