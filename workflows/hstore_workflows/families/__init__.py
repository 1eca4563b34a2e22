"""Families of storage materials side by side: what they hold, when they give it back, and what that hangs on."""
