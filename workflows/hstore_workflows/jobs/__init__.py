"""Durable jobs: kinds of work in steps, and the workers that do them.

A job is a row of the store; whoever accepts one writes that row and nothing else. Workers claim queued rows and
keep a journal of finished steps with DBOS, so that a job whose worker was killed goes on at its last finished
step.
"""
