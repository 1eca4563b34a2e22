"""Candidates from any OPTIMADE provider, several side by side.

The library ``optimade`` gives the grammar that a filter is checked with and the model of a species. Its client is
not used, for it cannot be made safe from outside. In version 1.5 it

- does not encode the filter, so ``+``, ``&`` or ``%`` in it ask another question;
- sets the count of attempts back in front of each, so a server that answers 429 is asked for ever, without a look
  at ``Retry-After``; other failures are not repeated at all, and a stalled answer may last 1000 s;
- follows ``links.next`` to any host and in any circle, bounded by a number of requests, and then keeps what it has
  as if it were all; ``data_returned`` is shown, never compared;
- hands out pages through a callback, but cannot begin again in the middle, and turns every error into text.

So the paging is ours (:mod:`~hstore_workflows.sources.optimade.paging`): each page is kept on disk when it comes,
and an answer is complete or is an error. The tests check structures against the library's own adapter, and run
against the library's own server.
"""
