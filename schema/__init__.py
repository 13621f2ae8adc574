"""What the API looks like: Strawberry types, inputs, payloads, scalars, errors."""
