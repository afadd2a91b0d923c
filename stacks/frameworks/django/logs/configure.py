    # access.py logs requests: of Django's own messages, keep only exceptions.
    logging.getLogger("django.request").addFilter(_has_exception)
    logging.getLogger("django.server").setLevel("CRITICAL")
