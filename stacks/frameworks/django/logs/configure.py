    # access.py logs requests: of what Django says of them, why one failed is left.
    logging.getLogger("django.request").addFilter(_tells_why_it_failed)
    logging.getLogger("django.server").setLevel("CRITICAL")
