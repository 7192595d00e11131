"""Who is calling: a bearer token of Microsoft Entra ID becomes a `Caller`, or a `Refusal` with a code.

Stands between the web endpoint and the reading of the body. `authenticator` decides, `token` takes
the token apart, `key_cache` and `key_source` provide the issuer's keys, `refusals` is the table of
codes. What was expected and what came goes into `Refusal.evidence`, which is for the log alone.
"""

from connector.auth.authenticator import CLOUDS, Authenticator, Caller, Cloud
from connector.auth.refusals import REFUSALS, Refusal, RefusalKind

__all__ = ["CLOUDS", "REFUSALS", "Authenticator", "Caller", "Cloud", "Refusal", "RefusalKind"]
