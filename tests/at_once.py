"""People who use a power at the same moment, and what each of them came to."""

import threading

from agentguard.errors import PowerRefusedError


def at_once(*calls):
    came, barrier = [], threading.Barrier(len(calls))

    def call(function):
        barrier.wait()
        try:
            came.append(function())
        except PowerRefusedError as error:
            came.append(error.why)

    threads = [threading.Thread(target=call, args=(function,)) for function in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came
