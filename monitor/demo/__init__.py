"""The bundled demo: a log of ten made-up beds, and the scripts that build it."""
