"""httpx over HTTP/2: rounds of POSTs, as the lines of standard input ask for.

A line is: url workers pause body first request-timeout round-timeout (in ms)
failures-in-a-row. The answer is a line for each request ("ok id", "never id error",
"fail id error") and "end".
"""

import asyncio
import itertools
import sys
import time

import httpx


async def run(url, workers, pause, body, first, request_most, round_most, fail_most):
    ids = itertools.count(first + 1)
    data = b"x" * body
    end = time.monotonic() + round_most / 1000

    async def work(client):
        failed = 0
        while failed < fail_most and time.monotonic() < end:
            id = next(ids)
            try:
                r = await client.post(url + str(id), content=data)
                line = f"ok {id}" if r.status_code == 200 else f"fail {id} status {r.status_code}"
            except httpx.ConnectError as e:
                line = f"never {id} {e!r}"
            except Exception as e:
                line = f"fail {id} {e!r}"
            print(line.replace("\n", " "))
            failed = 0 if line.startswith("ok") else failed + 1
            if line.startswith("never"):
                return
            await asyncio.sleep(pause * (id * 6131 % 11) / 10 / 1000)

    async with httpx.AsyncClient(http2=True, verify=False, timeout=request_most / 1000) as client:
        await asyncio.gather(*(work(client) for _ in range(workers)))
    print("end", flush=True)


for line in sys.stdin:
    url, *numbers = line.split()
    asyncio.run(run(url, *map(int, numbers)))
