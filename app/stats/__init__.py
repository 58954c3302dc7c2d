"""How many scanned, when, where and with what outcome: roll-ups of events, and the questions they answer."""
