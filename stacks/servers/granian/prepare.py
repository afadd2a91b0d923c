
# Python 3.14 would start the workers from a process without these libraries.
import multiprocessing  # noqa: E402

multiprocessing.set_start_method("fork")
