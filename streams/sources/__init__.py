"""Sources: what other systems recorded, converted to events of the wire format."""
