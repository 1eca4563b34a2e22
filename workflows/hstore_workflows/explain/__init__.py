"""Explanations for people: attributions, equations, causes, and families side by side."""
