"""`python -m gateway` is `carillon`, for where the project is not installed (the container image)."""

from gateway.cli.main import main

if __name__ == "__main__":
    main()
