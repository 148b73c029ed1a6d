"""`python -m gateway`: the planhub command."""

from gateway.cli import main

main()
