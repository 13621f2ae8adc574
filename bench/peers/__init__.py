"""Other GraphQL servers, each in one process, written the way their documentation recommends."""
