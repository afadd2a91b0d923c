
# Uvicorn would start each worker as a new Python process, which imports everything again. Workers are forks instead, as
# those of other servers are; a signal that comes between the fork and the worker's own handlers ends it.
import multiprocessing  # noqa: E402

import uvicorn._subprocess  # noqa: E402

uvicorn._subprocess.spawn = multiprocessing.get_context("fork")


def signals(how):
    signal.pthread_sigmask(how, (signal.SIGTERM, signal.SIGINT))


def in_worker():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signals(signal.SIG_UNBLOCK)


os.register_at_fork(
    before=lambda: signals(signal.SIG_BLOCK),
    after_in_parent=lambda: signals(signal.SIG_UNBLOCK),
    after_in_child=in_worker,
)
