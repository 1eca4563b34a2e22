"""Validate a crate with roc-validator, offline: ``PYTHON validate_crate.py CRATE PROFILE`` of its own environment.

The context of RO-Crate, which the validator would fetch, is the one that the package rocrate brings.
"""

from __future__ import annotations

import io
import json
import sys
import urllib.request
from pathlib import Path

import requests
import rocrate
from rdflib import _networking
from rocrate_validator import models, services

CONTEXT = (Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_bytes()
opened = urllib.request.urlopen


class Answer(io.BytesIO):
    """What a server would answer."""

    status = code = status_code = 200
    ok = True

    def __init__(self, url):
        assert "/ro/crate/" in url, f"asked for {url}"
        super().__init__(CONTEXT)
        self.headers = {"Content-Type": "application/ld+json"}
        self.url, self.content, self.text = url, CONTEXT, CONTEXT.decode()

    def geturl(self):
        return self.url

    def info(self):
        return self.headers

    def json(self):
        return json.loads(self.content)

    def raise_for_status(self):
        pass


def answer(request, *arguments, **keywords):
    url = request if isinstance(request, str) else request.full_url
    return opened(request, *arguments, **keywords) if url.startswith("file:") else Answer(url)


urllib.request.urlopen = answer
for module in [_networking, *sys.modules.values()]:
    for name in ("urlopen", "_urlopen"):
        if module.__name__.startswith("rdflib") and hasattr(module, name):
            setattr(module, name, answer)
requests.Session.request = lambda *arguments, **_: Answer(arguments[2])

result = services.validate(
    models.ValidationSettings(
        rocrate_uri=sys.argv[1],
        profile_identifier=sys.argv[2],
        requirement_severity=models.Severity.REQUIRED,
        no_cache=True,
    )
)
for issue in result.get_issues():
    sys.stdout.write(f"{issue.check.identifier} {issue.message}\n")
sys.stdout.write("passed\n" if result.passed() else "failed\n")
