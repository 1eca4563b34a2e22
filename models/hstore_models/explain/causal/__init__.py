"""What data say of causes: graphs by two unlike methods, their stability, effects, and tests of these."""
