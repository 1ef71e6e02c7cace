"""Work behind the back of who gathers: in order, overlapping, and never left undone."""

import asyncio
import threading

import pytest

from killick.server.bodies import Behind


class WorkError(Exception):
    pass


def fail():
    raise WorkError


def test_one_piece_is_worked_on_while_the_next_is_gathered():
    gathered, worked = threading.Event(), []

    def work(piece):
        assert gathered.wait(20)
        worked.append(piece)

    async def main():
        async with Behind() as behind:
            await behind.do(work, 1)
            assert not worked  # the loop goes on while the thread waits for it
            gathered.set()
            await behind.do(work, 2)
            assert worked[0] == 1

    asyncio.run(main())
    assert worked == [1, 2]


def test_never_two_pieces_at_once():
    busy = threading.Lock()

    def work():
        assert busy.acquire(blocking=False)
        busy.release()

    async def main():
        async with Behind() as behind:
            for _ in range(50):
                await behind.do(work)

    asyncio.run(main())


def test_failed_work_ends_the_gathering():
    done = []

    async def main():
        async with Behind() as behind:
            await behind.do(fail)
            await behind.do(done.append, 1)
            await behind.do(done.append, 2)

    with pytest.raises(WorkError):
        asyncio.run(main())
    assert not done


def test_the_last_piece_may_fail_too():
    async def main():
        async with Behind() as behind:
            await behind.do(fail)

    with pytest.raises(WorkError):
        asyncio.run(main())


def test_what_came_before_a_failed_body_is_worked_on():
    worked, begun = [], threading.Event()

    def work():
        begun.set()
        worked.append(1)

    async def main():
        async with Behind() as behind:
            await behind.do(work)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(main())
    assert worked


def test_who_is_cancelled_waits_for_the_thread():
    go_on, worked = threading.Event(), []

    def work():
        assert go_on.wait(20)
        worked.append(1)

    async def main():
        async def gather():
            async with Behind() as behind:
                await behind.do(work)
                await asyncio.Event().wait()

        task = asyncio.create_task(gather())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        asyncio.get_running_loop().call_soon(go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert worked

    asyncio.run(main())
