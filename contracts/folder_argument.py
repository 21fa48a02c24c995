"""The command line of modules that write a corpus into a folder."""

import argparse


def folder_argument(module: str, description: str | None) -> str:
    """Return the folder that the command line names; print the usage and leave for ``--help`` and for anything else.

    Args:
        module: the module, as ``python -m`` names it.
        description: its docstring, of which the first line is shown.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=(description or "").partition("\n")[0])
    parser.add_argument("folder", help="where to write; it is made if it is not there")
    return str(parser.parse_args().folder)
