"""Operations: registered, limited, compiled, executed, cached, and broadcast to subscribers."""
