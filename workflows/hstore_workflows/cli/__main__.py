"""Run the command line as ``python -m hstore_workflows.cli``."""

from hstore_workflows.cli import main

main()
