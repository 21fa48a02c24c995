"""The program ``unisrm-data``. Imports next to nothing, so that from its first moment on Ctrl-C ends it in one line."""

import sys

from flows.run.ending import run


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(_command))


def _command() -> None:
    from flows.entry.cli import app

    app()


if __name__ == "__main__":
    main()
