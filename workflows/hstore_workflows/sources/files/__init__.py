"""Files as a source of materials; :func:`~hstore_workflows.sources.files.source.read_files` is the way in.

Nothing is imported here, so that the processes that read files stay small.
"""
