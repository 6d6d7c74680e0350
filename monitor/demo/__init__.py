"""The bundled demo: a log of six made-up beds, and the script that builds it."""
