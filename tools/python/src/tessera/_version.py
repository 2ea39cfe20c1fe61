"""The package's version, told to the door as `User-Agent`."""

__version__ = "0.1.0"
