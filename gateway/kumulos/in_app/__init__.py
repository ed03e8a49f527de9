"""In-app messages: templates sent to an audience, an addition of this gateway."""
