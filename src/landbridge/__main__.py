"""`python -m landbridge` is `landbridge`."""

import sys

from landbridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
