"""`python -m connector.cli`: the command line without the installed script."""

import sys

from connector.cli import main

sys.exit(main())
