"""What a search borrows of the process comes back, whoever else searches at the time."""

import threading

import torch

from rote.neighbors.numeric import computing_pool


def test_threads_that_search_at_once_leave_the_thread_count_as_it_was():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    inside, left = threading.Event(), threading.Event()

    def other():
        with computing_pool(1):
            inside.set()
            left.wait(10)

    thread = threading.Thread(target=other)
    counts = []
    try:
        with computing_pool(1):
            thread.start()
            inside.wait(10)
        left.set()
        thread.join()
        counts.append(torch.get_num_threads())
        fresh = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
        fresh.start()
        fresh.join()
        assert counts == [3, 3]
    finally:
        torch.set_num_threads(before)
