"""What all types of the API share: scalars, ids, rights, pages, texts and errors."""
