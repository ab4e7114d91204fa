"""`python -m elastix_impact` is the command `elastix-impact`."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
