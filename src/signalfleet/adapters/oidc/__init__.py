"""Log in with Telegram by OpenID Connect: authorization code with PKCE.

`client.py` alone knows the HTTP library and the token library; `claims.py` is pure.
"""
