"""A user's own Telegram, read only, over MTProto.

Holds what speaks to Telegram and nothing that decides: signing in by code, listing chats, reading
posts, edits and deletions live, and repairing what a gap swallowed. Messages leave as domain
values, errors as those of `ports.errors`. It must not know what a signal or a trade is, must not
store anything itself, and no request outside the lists of `guard` can leave it.
"""
