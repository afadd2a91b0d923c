# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "copier==9.19.1",
#     "copier-template-extensions==0.3.4",
#     "jinja2-time==0.2.0",
# ]
#
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
# ///
"""Show what Copier would do to services, without changing anything in them.

    uv run tools/preview.py updates [--json] TEMPLATE FOLDER…
    uv run tools/preview.py adoption [--json] TEMPLATE FOLDER [OPTION OF copier copy]…

docs/how-to/fleet.md describes the first, docs/how-to/adopt.md the second. All work is done in temporary clones.
"""

import argparse
import os
import sys
from pathlib import Path

from previews.adoption import show_adoption
from previews.errors import PreviewError
from previews.isolation import isolate, memory, temporary
from previews.updates import show_updates


def main() -> int:
    """Run the command line; return the exit status."""
    options = parse_arguments()
    # Names of files may contain bytes that the output's encoding can't represent.
    sys.stdout.reconfigure(errors="backslashreplace")
    with temporary() as work, temporary(memory()) as scratch:
        isolate(Path(work), Path(scratch))
        try:
            return options.show(options, Path(work))
        except PreviewError as error:
            print(f"preview: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(required=True, metavar="updates|adoption")
    updates = modes.add_parser("updates", help="which services are behind, and what an update would do to them")
    updates.set_defaults(show=show_updates)
    adoption = modes.add_parser("adoption", help="what adopting the template would do to an existing service")
    adoption.set_defaults(show=show_adoption)
    for mode in (updates, adoption):
        mode.add_argument("--json", action="store_true", help="write JSON instead of text")
        mode.add_argument("template", metavar="TEMPLATE", help="its URL, as for copier copy; its code is run")
    updates.add_argument("folders", metavar="FOLDER", nargs="+", type=folder, help="a service, or a folder of services")
    adoption.add_argument("folder", metavar="FOLDER", type=folder, help="the service")
    adoption.add_argument("options", nargs=argparse.REMAINDER, help="options of copier copy, such as --data")
    return parser.parse_args()


def folder(argument: str) -> Path:
    """Return the absolute path of a folder that must exist."""
    if not (path := Path(argument)).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {argument}")
    return Path(os.path.abspath(path))


if __name__ == "__main__":
    sys.exit(main())
