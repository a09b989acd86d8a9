"""A page of one recording: every signal with its losses, presence, quality reasons and trials."""
