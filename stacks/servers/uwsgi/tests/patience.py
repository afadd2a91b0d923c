# Options for the tests, whose clients are slow.
PATIENT = ("--socket-timeout", "60")
