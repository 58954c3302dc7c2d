"""Visitors, what is known of them and their tags: listed, exported, shown to themselves, forgotten."""
