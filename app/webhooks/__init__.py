"""Telling other programs what happened: endpoints, a message for each thing, and sending it until it is taken."""
