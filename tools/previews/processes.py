"""Processes in which updates run, separate from each other."""

import multiprocessing
import os
from multiprocessing.connection import Connection

from .errors import PreviewError, one_line

# No update takes that long: it hangs.
TIMEOUT = 300  # seconds
# Each update has a process of its own, because services may come from different versions of the template, whose code
# Copier imports under the same names. It is forked from a server that has imported Copier: the import takes as long as
# an update.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["copier", "copier_template_extensions", "jinja2_ansible_filters", "jinja2_time"])


def run_in_process(function: object, *arguments: object) -> None:
    """Call a function in a process of its own.

    Raises:
        PreviewError: The call raises an exception, ends its process, or exceeds the timeout.
    """
    ours, theirs = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_report_failure, args=(theirs, function, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        reason = ours.recv() if ours.poll(TIMEOUT) else f"it took more than {TIMEOUT} s"
    except EOFError:
        process.join()
        reason = f"its process ended with exit status {process.exitcode}"
    process.kill()
    process.join()
    if reason:
        raise PreviewError(f"the update fails: {reason}")


def _report_failure(connection: Connection, function: object, *arguments: object) -> None:
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    try:
        function(*arguments)
    except Exception as error:
        # For a failed command, its error output is more specific than the exception's own message.
        connection.send(one_line(getattr(error, "stderr", None) or str(error) or type(error).__name__))
    else:
        connection.send("")
