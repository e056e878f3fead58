"""Own checks of the source, for rules that no general linter knows: one file per rule.

A rule is a function from a `Source` to findings. A line that must break one says so and why:
`# lint: allow <rule>: <reason>`.
"""
