"""`python -m palestra` is the `palestra` command."""

from palestra.cli.main import run

if __name__ == "__main__":
    run()
