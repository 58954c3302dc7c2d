"""Who may use the panel and the API: users, their sessions and tokens, invitations, the panel's own shell."""
