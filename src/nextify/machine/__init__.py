"""The machine as this process may use it: cores, memory, clocks, processes, and what it is.

Nothing here imports torch before it is asked for what only torch knows.
"""

from nextify.machine.limits import cores, last_cache, limit_threads, memory
