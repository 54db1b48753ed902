"""`python -m taskcopilot` is the same as `taskcopilot`."""

from taskcopilot.cli import main

if __name__ == "__main__":
    main()
