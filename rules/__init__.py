"""Decides: the pure core that turns facts about a patient into verdicts and suggestions."""
