"""Physics over many structures: batches, kept results, tables and text; one module per question."""
