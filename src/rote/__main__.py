"""`python -m rote`."""

from rote.cli import main

if __name__ == "__main__":
    main()
