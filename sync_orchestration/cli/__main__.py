"""`python -m sync_orchestration.cli`: the command, where it is not on the path."""

from sync_orchestration.cli import main

main()
