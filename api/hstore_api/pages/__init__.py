"""The pages: the same records as ``/v1``, rendered on the server for people.

:func:`hstore_api.pages.install.install_pages` is the only door. The pages can be read without scripts; with them
they search as one types, draw plots and turn structures. Every script and style comes from this service.
"""
