"""The services that tests/service/test_adopt.py adopts have tests of their own, which are no part of this suite."""

collect_ignore = ["services"]
