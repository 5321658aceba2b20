"""Mistakes of the user, told in one line."""


class UserMistake(Exception):
    """Something the user can mend; the message is one sentence that names it and the fix."""
