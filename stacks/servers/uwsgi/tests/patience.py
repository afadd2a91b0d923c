# The client of a test is slower than a real one may be.
PATIENT = ("--socket-timeout", "60")
