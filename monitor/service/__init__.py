"""The service at the bedside: HTTP in front of the embedded runtime, a live feed, and who may do what."""
