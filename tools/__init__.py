"""Scripts of the project itself: nothing here is installed or runs in production."""
