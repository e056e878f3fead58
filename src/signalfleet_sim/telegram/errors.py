"""The two kinds of error: an answer to a client, and a mistake of whoever scripts the city."""


class RpcFault(Exception):  # noqa: N818 - an answer of the protocol, not a failure of the server
    """Answers the request under way with an `rpc_error`."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


class CityError(Exception):
    """A call of the scripting interface that makes no sense; says what to do instead."""
