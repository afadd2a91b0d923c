
# Forks of this process have the libraries. Python's later default is a process that doesn't:
# https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods
import multiprocessing  # noqa: E402

multiprocessing.set_start_method("fork")
