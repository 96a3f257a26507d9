"""The dnf back end (dnf4, rpm): python3-dnf's API in a worker under the system's Python, rpm's database for the truth.

dnf's command line is not used: it ends with 0 after a failed script, and its output is text for people.
"""
