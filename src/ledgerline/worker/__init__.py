"""Runs in processes of their own, so that who starts them stays quick, and may end without them.

starting    starts such a process and hears from it
__main__    what the process does
"""
