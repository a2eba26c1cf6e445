"""`python -m basam` is the `basam` command."""

from basam.cli import main

main()
