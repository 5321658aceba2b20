"""`python -m w2sjax` is `w2sjax`."""

from w2sjax.cli import main

if __name__ == "__main__":
    main()
