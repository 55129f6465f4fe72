"""
The exactly-once harness: a flow between the org and an outside system, both processes of their own, killed again and again.

`plan` says what is published (from a seed), `outside` is the system at the other end, `runtime` the process that is killed,
`breakage` the broken runtimes that must be caught, `harness` runs it all and gives the verdict.
"""
