"""The command line. Heavy libraries load inside the commands, so that ``sigverify --help`` answers at once.

Exit codes: 0 done, 1 unexpected, 2 bad input, 3 not found, 4 mismatch, 5 too few writers, 6 conflict, 7 unreconciled,
8 training collapsed, 10 the query was not accepted (``verify-one`` only), 130 interrupted.
"""

from __future__ import annotations

import os
import sys

import typer

from sigverify.cli import audit, batches, calibrating, data, erasing, judge, models, training
from sigverify.errors import SigverifyError

INTERRUPTED = 130

app = typer.Typer(
    name="sigverify",
    help="Offline handwritten signature verification: from a folder of scans to decisions.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)

data.add_to(app)
batches.add_to(app)
judge.add_to(app)
calibrating.add_to(app)
audit.add_to(app)
training.add_to(app)
erasing.add_to(app)
app.add_typer(models.app, name="models")


@app.command()
def version() -> None:
    """Print the version of the package and of the verifier that ships with it."""
    from sigverify import __version__
    from sigverify.verifier import Verifier

    print(f"sigverify {__version__}, shipped verifier {Verifier.load().version}")


def main() -> None:
    """Run a command; errors of the library become one line on stderr and their exit code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle torch threads must not spin against other processes
    try:
        app()
    except SigverifyError as error:
        print(f"sigverify: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:  # what typer makes of Ctrl-C
            raise
        print("sigverify: interrupted; what was finished is kept, run the same command again to go on", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
