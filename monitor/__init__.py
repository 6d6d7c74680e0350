"""Shows and runs: the command line and its terminal output."""
