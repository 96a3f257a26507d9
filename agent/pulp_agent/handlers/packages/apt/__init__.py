"""The apt back end: apt-get's command line for every change, its JSON hook for the plan, dpkg's state for the truth.

No python-apt: it is tied to the system's interpreter, and plans nothing, silently, for what cannot be installed.
"""
