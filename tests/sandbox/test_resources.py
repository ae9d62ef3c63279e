"""Programs that want too much: each gets its own verdict, soon, and the next program in its place passes."""

from __future__ import annotations

import time

import msgspec
import pytest

from sandbox import Limits
from tests.sandbox.conftest import TIGHT, on

pytestmark = pytest.mark.slow

SHORT = msgspec.structs.replace(TIGHT, cpu_s=0.25)  # nothing here ends by itself

LOOPS = {
    "endless loop": "while True: pass",
    "a loop that catches everything": "while True:\n try:\n  while True: pass\n except BaseException: pass",
    "ignores the signals of limits": """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass""",
    "one long call in C": "10 ** 10 ** 9",
    "a busy thread": "import threading\n"
    "threading.Thread(target=lambda: sum(iter(lambda: 0, 1))).start()\nwhile 1: pass",
    "busy children": "import os\nfor _ in range(4): os.fork()\nwhile True: pass",
}
IDLE = {
    "sleep": "import time\ntime.sleep(1000)",
    "many short sleeps": "import time\nwhile True: time.sleep(0.01)",
    "waits for a lock": "import threading\nlock = threading.Lock(); lock.acquire(); lock.acquire()",
    "stops itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "waits for a child that sleeps": "import os, time\nif os.fork() == 0: time.sleep(1000)\nos.wait()",
    "a fork bomb that sleeps": """
import os, time
while True:
    try: os.fork()
    except OSError: time.sleep(1)""",
}


@pytest.mark.parametrize("name", LOOPS)
def test_what_computes_without_end_is_a_timeout_by_processor_time(name, judged):
    verdict = judged(LOOPS[name], limits=SHORT)
    assert verdict.kind == "timeout", verdict
    assert "s of processor time" in verdict.detail, "the wall limit, not its own"


SOME = ("a loop that catches everything", "ignores the signals of limits", "busy children")
SOME_IDLE = ("sleep", "stops itself", "a fork bomb that sleeps")


@on("landlock", "process")
@pytest.mark.parametrize("name", [*SOME, *SOME_IDLE])
def test_the_same_without_namespaces(name, judged):
    """Those that another way to end them may get wrong."""
    verdict = judged({**LOOPS, **IDLE}[name], limits=SHORT)
    assert verdict.kind == "timeout", verdict
    assert ("s of processor time" in verdict.detail) == (name in LOOPS), verdict


@pytest.mark.parametrize("name", IDLE)
def test_what_does_nothing_without_end_is_a_timeout_by_idle_time(name, judged):
    verdict = judged(IDLE[name], limits=SHORT)
    assert (verdict.kind, verdict.detail) == ("timeout", "did nothing for 0.25 s")


def test_the_wall_limit_ends_what_the_others_do_not_reach_after_a_second_try(judged):
    began = time.monotonic()
    verdict = judged("import time\ntime.sleep(99)", limits=Limits(cpu_s=60, wall_s=0.4), replaced=True)
    assert (verdict.kind, verdict.detail) == ("timeout", "still running after 0.4 s")
    assert time.monotonic() - began > 2 * 0.4


@on("bubblewrap", "landlock", "process")
def test_a_fork_bomb_meets_the_limit_of_processes(judged):
    code = "import os\nwhile True: os.fork()"
    assert judged(code, limits=SHORT).kind in {
        "exception",
        "timeout",
    }  # the first process may meet it, or its children


@on("bubblewrap", "landlock", "process")
def test_a_thread_bomb_meets_the_limit_of_processes(judged):
    verdict = judged(
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(99,)).start()"
    )
    assert (verdict.kind, verdict.detail) == ("exception", "RuntimeError: can't start new thread")


MEMORY = {
    "one object": "x = b'x' * (1 << 30)",
    "slowly": "x = []\nwhile True: x.append(b'x' * 100_000)",
    "list of itself": "x = [0]\nwhile True: x += x",
}


@on("bubblewrap", "landlock", "process")
@pytest.mark.parametrize("name", MEMORY)
def test_too_much_memory_is_a_verdict_of_its_own(name, judged):
    assert judged(MEMORY[name]).kind == "memory_limit"


@on("bubblewrap", "landlock", "process")
def test_memory_spread_over_children_counts_together(judged):
    code = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = b"x" * (100 << 20)
        time.sleep(100)
os.wait()"""
    verdict = judged(code)
    assert verdict.kind == "memory_limit"
    assert "together" in verdict.detail


FLOODS = {
    "stdout": "while True: print('x' * 10_000)",
    "stderr": "import sys\nwhile True: sys.stderr.write('x' * 10_000)",
    "descriptor": "import os\nwhile True: os.write(1, b'x' * 10_000)",
    "a child": "import os\nif os.fork() == 0:\n while True: os.write(2, b'x' * 10_000)\nos.wait()",
}


@on("bubblewrap", "landlock", "process")
@pytest.mark.parametrize("name", FLOODS)
def test_an_output_flood_is_stopped_and_its_beginning_kept(name, judged):
    verdict = judged(FLOODS[name])
    assert verdict.kind == "output_limit"
    assert verdict.output.startswith("xxx")
    assert len(verdict.output) <= 16384


@on("bubblewrap", "landlock", "process")
def test_a_large_file_meets_the_limit_of_file_sizes(judged):
    verdict = judged("with open('big', 'wb') as f:\n while True: f.write(b'x' * 1_000_000)")
    assert (verdict.kind, verdict.detail) == ("exception", "OSError: [Errno 27] File too large")


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_filling_a_folder_meets_its_size_and_is_gone_afterwards(folder, judged):
    code = (
        f"import itertools\nfor n in itertools.count(): open(f'{folder}/{{n}}', 'wb').write(b'x' * 8_000_000)"
    )
    assert judged(code).detail == "OSError: [Errno 28] No space left on device"


FILLED = {
    "large files": "import itertools\nfor n in itertools.count(): open(f'{n}', 'wb').write(b'x' * 8_000_000)",
    "many files": "import itertools\nfor n in itertools.count(): open(f'{n}', 'w').close()",
    "a folder that can't be looked into": "import os, time\nos.mkdir('a', 0o300)\ntime.sleep(99)",
    "a tree deeper than a path": "import os, time\nfor _ in range(300):\n os.mkdir('d' * 99)\n os.chdir('d' * 99)\n"
    "time.sleep(99)",
}


@on("landlock", "process")
@pytest.mark.parametrize("name", FILLED)
def test_a_folder_that_nothing_bounds_is_looked_at(name, judged):
    verdict = judged(FILLED[name])
    assert (verdict.kind, verdict.detail[:10]) == ("output_limit", "wrote more"), verdict


# Each holds what nobody could count. `refused` when it could not get it.
UNCOUNTED = {
    "shared memory without a file": "mmap.mmap(-1, 1 << 20)",
    "shared memory of a device": "mmap.mmap(os.open('/dev/zero', os.O_RDWR), 1 << 20)",
    "a file in memory": "os.memfd_create('x')",
    "memory by key": "assert libc.shmget(0, 1 << 20, 0o1600) >= 0",
    "memory paged out": "m = mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
    "assert libc.madvise(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(m))), 1 << 20, 21) == 0",
}


@on("bubblewrap", "landlock")
@pytest.mark.parametrize("name", UNCOUNTED)
def test_memory_that_belongs_to_no_process_is_refused(name, judged):
    code = f"import ctypes, mmap, os\nlibc = ctypes.CDLL(None)\n{UNCOUNTED[name]}"
    verdict = judged(code)
    assert verdict.kind in {"exception", "wrong_answer"}, verdict


def test_what_programs_share_through_the_standard_library_still_works(judged):
    code = """
import multiprocessing
from multiprocessing import shared_memory
number, numbers, queue = multiprocessing.Value("i", 3), multiprocessing.RawArray("d", 5), multiprocessing.Queue()
queue.put(1)
assert queue.get() == 1 and number.value == 3 and list(numbers) == [0] * 5
with multiprocessing.Pool(2) as pool: assert pool.map(abs, [-1, 2]) == [1, 2]
memory = shared_memory.SharedMemory(create=True, size=100); memory.close(); memory.unlink()
assert open("/dev/zero", "rb").read(3) == bytes(3)
"""
    assert judged(code, limits=Limits()).kind == "passed"


FILLED_SOCKETS = """
import os, socket, time
def filled(one):
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 20)
    one.setblocking(False)
    try:
        while True: one.send(bytes(65536))
    except BlockingIOError: return one
"""
MANY_SOCKETS = {
    "pairs": "for _ in range(14):\n    if os.fork() == 0: break\n"
    "kept = [filled(one) for _ in range(55) for one in socket.socketpair()]",
    "closed before they are accepted": "server = socket.socket(socket.AF_UNIX)\nserver.bind('x')\nserver.listen(4096)\n"
    "for _ in range(1500):\n    with socket.socket(socket.AF_UNIX) as one: one.connect('x'); filled(one)",
}


@on("bubblewrap", "landlock")
def test_a_socket_holds_no_more_than_the_kernel_gives_it(judged):
    """What waits in sockets is memory of no process: four megabytes each were 30 GiB in all that nobody counted."""
    verdict = judged(
        FILLED_SOCKETS
        + """
one, other = socket.socketpair()
given = one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
filled(one)
assert one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == given
one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(16))
waiting = 0
other.setblocking(False)
try:
    while True: waiting += len(other.recv(65536))
except BlockingIOError: pass
assert 0 < waiting <= 1.5 * given
"""
    )
    assert verdict.kind == "passed", verdict


@on("bubblewrap")
@pytest.mark.parametrize("name", MANY_SOCKETS)
def test_what_waits_in_sockets_counts_as_memory(name, judged):
    verdict = judged(f"{FILLED_SOCKETS}{MANY_SOCKETS[name]}\ntime.sleep(9)")
    assert verdict.kind == "memory_limit", verdict


HIDDEN = {
    "removed while open": "os.open(name, os.O_CREAT | os.O_RDWR); os.unlink(name)",
    "another in its place": "os.open(name, os.O_CREAT | os.O_RDWR); os.rename(name, 'x')",
    "never named": "os.open('.', os.O_TMPFILE | os.O_RDWR)",
}


@on("landlock")
@pytest.mark.parametrize("name", HIDDEN)
def test_no_file_on_the_disk_is_out_of_sight(name, judged):
    code = f"""
import os, time
for name in map(str, range(60)):
    file = {HIDDEN[name]}
    try: os.posix_fallocate(file, 0, 8 << 20)
    except OSError: os.write(file, bytes(8 << 20))
time.sleep(1)
""".replace(
        "file = os.open(name, os.O_CREAT | os.O_RDWR); ", "file = os.open(name, os.O_CREAT | os.O_RDWR)\n    "
    )
    verdict = judged(code)
    refused = verdict.kind == "exception" and "OSError" in verdict.detail
    assert refused or (verdict.kind, verdict.detail[:10]) == ("output_limit", "wrote more"), verdict


LEAVINGS = {
    "folders with long links": "for n in range(1500): os.mkdir(str(n)); os.symlink('x' * 4000, f'{n}/link')",
    "links to one file": "open('f', 'w').close()\nfor n in range(5000): os.link('f', str(n))",
    "empty files": "for n in range(8000): open(str(n), 'w').close()",
}


@on("bubblewrap", "landlock", "process")
@pytest.mark.parametrize("name", LEAVINGS)
def test_to_remove_what_it_leaves_counts_for_nobody(name, judged):
    """A disk may take its time for that. The next program, which `judged` runs, finds an empty folder all the same."""
    verdict = judged("import os\n" + LEAVINGS[name])
    assert verdict.kind == "passed", verdict


@on("bubblewrap", "landlock", "process")
def test_descriptors_are_limited(judged):
    verdict = judged("x = []\nwhile True: x.append(open('/dev/null'))")
    assert verdict.detail.startswith("OSError: [Errno 24] Too many open files")


def test_a_right_program_that_sleeps_and_computes_within_its_limits_passes(judged):
    code = """
import time
for _ in range(4):
    time.sleep(0.1)
    end = time.process_time() + 0.05
    while time.process_time() < end: pass
"""
    assert judged(code).kind == "passed"
