"""Drills: real processes, a failure provoked, and a judgement from the simulators' own books.

A drill is a module `d<number>_<what>.py` with `ID` ("D1"), `TITLE` (one line) and
`async def run() -> Result`; it is found by its file name. `python -m drills [ID...] [--json]`
runs them, `--list` names them. `python -m drills.sim SEED` repeats one seed of the drill SIM.
"""
