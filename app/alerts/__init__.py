"""Alerts: whoever must act is told before a code is dead, by the way they like, with the page to act on.

`survey` gathers facts, `rules.alerting` says what they mean, `rounds` notes each cause once, `deliveries` sends. The
owner of a group, who has no account, acts through a signed link (`links`).
"""
