"""What cannot be used as the settings say, so that waiting does not help."""


class Unusable(OSError):
    """One line: the key, what is wrong, what to do. A process that starts ends with it (exit code
    2); one that runs tells it and tries again, as with any other trouble of the system."""
