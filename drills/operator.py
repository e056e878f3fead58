"""What an operator and a user do during a drill: commands beside the product, and its pages."""

import asyncio
import sys
from collections.abc import Mapping

import aiohttp

from drills.rig import Rig
from drills.visitor import signed_in


async def command(rig: Rig, *words: str) -> int:
    """Run `signalfleet` with the product's settings; return its exit status."""
    with (rig.root / "commands.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "signalfleet.cli",
            *words,
            env=rig.environment,
            cwd=rig.root,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        return await process.wait()


async def visit(
    rig: Rig, method: str, path: str, *, form: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Ask for a page as the user, over a session that is made for it; return status and text."""
    headers = {"Accept": "text/html", **await signed_in(rig.settings, rig.user)}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, rig.address() + path, data=form, allow_redirects=False) as response,
    ):
        return response.status, await response.text()
