"""Asking before something is lost."""


def consents(question: str) -> bool:
    """Whether somebody says yes. Nobody there is a no."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False
