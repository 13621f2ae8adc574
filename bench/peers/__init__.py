"""Other GraphQL servers, each in one process, written as their documentation recommends."""
