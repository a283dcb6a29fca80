"""The command line client of a community hosting portal; it speaks REST."""

__version__ = "0.1.0"
