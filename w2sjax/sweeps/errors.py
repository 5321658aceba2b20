"""What goes wrong with files."""


class StoreError(ValueError):
    """A store or checkpoint that cannot be used as it is; the message is one sentence with the path and the fix."""
