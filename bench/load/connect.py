# Joins a cgroup, listens on loopback, and times connections to itself: prints nanoseconds of connect(2), one a line.
import os
import socket
import struct
import sys
import threading
import time

cgroup, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(os.path.join(cgroup, "cgroup.procs"), "w") as procs:
    procs.write(str(os.getpid()))
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", port))
server.listen(128)


def accept() -> None:
    for _ in range(count):
        server.accept()[0].close()


threading.Thread(target=accept, daemon=True).start()
# Ends connections by a reset, so that none lingers in TIME-WAIT.
reset = struct.pack("ii", 1, 0)
times = []
for _ in range(count):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    start = time.perf_counter_ns()
    client.connect(("127.0.0.1", port))
    times.append(time.perf_counter_ns() - start)
    client.close()
print("\n".join(map(str, times)))
