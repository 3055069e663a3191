"""`python -m scripts.lab`."""

import sys

from scripts.lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
