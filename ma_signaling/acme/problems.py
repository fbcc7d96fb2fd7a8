"""Explanations for the operator when a CA issues no certificate: what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
from acme import errors, messages

MAX_DETAIL = 300
"""The most characters of a CA's own text."""

PORTS = {"tls-alpn-01": 443, "http-01": 80}

UNEXPECTED = (requests.exceptions.RequestException, errors.Error, ValueError, KeyError)
"""The exceptions that the libraries raise for problems with a CA."""


class Failed(Exception):
    """Raised if there is no certificate; the text is one line for the operator."""


def explain(problem: Exception, directory: str) -> str:
    """Return one line about a problem with the CA at ``directory``."""
    host = urlsplit(directory).netloc
    match problem:
        case Failed():
            return str(problem)
        case errors.ValidationError():
            return "; ".join(_failed_challenges(problem))
        case errors.IssuanceError():
            return _refusal(problem.error, host)
        case messages.Error():
            return _refusal(problem, host)
        case _:
            return _trouble(problem, host, directory)


def _trouble(problem: Exception, host: str, directory: str) -> str:
    if isinstance(problem, errors.TimeoutError):
        return f"the CA at {host} has not decided in time; the next attempt may succeed"
    if isinstance(problem, requests.exceptions.SSLError):
        return (
            f"the certificate of the CA at {host} is not trusted (for a private CA, set --acme-ca):"
            f" {_root(problem)}"
        )
    if isinstance(problem, requests.exceptions.ConnectionError | requests.exceptions.Timeout):
        return (
            f"the CA at {host} can't be reached: let this machine connect to it, or name another one with"
            f" --acme-directory ({_root(problem)})"
        )
    return f"no ACME server answers at {directory} (--acme-directory): {_one_line(problem)}"


def _refusal(problem: messages.Error, host: str) -> str:
    detail = _one_line(problem.detail or problem.title or problem.typ)
    if problem.code == "rateLimited":
        return (
            f"the CA at {host} limits requests, and the limit is reached: wait, and keep the state directory, or"
            f" another certificate is asked for at each start ({detail})"
        )
    if problem.code in ("rejectedIdentifier", "unsupportedIdentifier"):
        return f"the CA at {host} issues no certificate for a name of --acme-domain: {detail}"
    if problem.code in ("invalidContact", "unsupportedContact"):
        return f"the CA at {host} refuses --acme-email: {detail}"
    if problem.code == "externalAccountRequired":
        return (
            f"the CA at {host} requires accounts created elsewhere, which this server doesn't support: name another"
            f" CA with --acme-directory ({detail})"
        )
    return f"the CA at {host} refuses: {detail} ({problem.code or problem.typ})"


def _failed_challenges(problem: errors.ValidationError) -> Iterator[str]:
    for authorization in problem.failed_authzrs:
        name = authorization.body.identifier.value
        for challenge in authorization.body.challenges:
            if challenge.error is not None:
                yield _failed_challenge(name, challenge.to_partial_json()["type"], challenge.error)


def _failed_challenge(name: str, kind: str, error: messages.Error) -> str:
    port = PORTS.get(kind, 0)
    detail = _one_line(error.detail or error.title or "")
    if error.code == "dns":
        what = f"{name} has no address that the CA finds: let its A or AAAA record point to this machine"
    elif error.code == "caa":
        what = (
            f"a CAA record of {name} forbids this CA to issue certificates: name the CA in it, or remove it"
        )
    else:
        what = (
            f"the CA did not find this server at {name}, port {port}: let the name, with its AAAA record if it has"
            " one, point to this machine, and let firewall and router pass that port on to this server"
        )
    return f"{what} ({kind}: {detail})"


def _root(problem: BaseException) -> str:
    """Return the text of the first exception in the chain: later ones contain only libraries' objects."""
    while (before := problem.__cause__ or problem.__context__) is not None:
        problem = before
    return _one_line(problem)


def _one_line(text: object) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in str(text)).split())[:MAX_DETAIL]
