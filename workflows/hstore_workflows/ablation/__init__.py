"""What groups of descriptors add to what is known without them: shipped questions, and tables of one's own."""
