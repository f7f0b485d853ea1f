"""Running code nobody trusts, behind the strongest boundary that the machine offers."""
