"""`python -m nextify`: the command line."""

import sys

from nextify.cli.main import main

if __name__ == "__main__":  # and not when the workers of a study import it
    sys.exit(main())
