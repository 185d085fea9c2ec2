"""The web service: the site with its archive, and the API by which people act.

::

    site_app   the site as files, parts of them included, and the API below it
    api        ``/api/v1/``: shots, corrections, reruns, acts
    api_models  what it takes and gives
    access     who asks, and what they may do
    guards     who may read the site, and which requests are taken at all
    tokens     made, listed, revoked
    problems   how refused requests are answered
    run        the process

``docs/serve.md`` describes it for people and operators.
"""

__all__ = ["run", "site_app", "tokens"]
