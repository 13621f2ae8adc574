"""`python -m gateway` runs `carillon` if the project is not installed, as in the container image."""

from gateway.cli.main import main

if __name__ == "__main__":
    main()
