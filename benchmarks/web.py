"""`basam web` as its page uses it, over HTTP: from click to mask, to the first tile of a large photo, memory over many clicks.

    python benchmarks/web.py                          # a generated photo of 12 megapixels, nano, 500 clicks
    python benchmarks/web.py --photo photo.jpg --method basam --clicks 100

A click is what the page sends: a new point, answered by the mask, kept in the session before the answer comes. The photo is
encoded before. Beside the wall clock stands the processor time that the server spent, which other work on the machine changes
little: on an idle machine of two cores the wall clock lies below it, since some of the work goes to both.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TICKS = os.sysconf("SC_CLK_TCK")
MEGAPIXELS = 1_000_000
# Objects of the photo; each click takes the place of the one so many before.
OBJECTS = 10


class Served:
    """A server in a process of its own, and a connection to it with its cookie.

    Attributes:
        address: of the page, with the token.
    """

    def __init__(self, photos: list[Path], session: Path, model: str) -> None:
        words = ["web", *map(str, photos), "--session", str(session), "--model", model, "--port", "0", "--no-browser"]
        self.process = subprocess.Popen([sys.executable, "-m", "basam", *words], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = next(line.strip() for line in self.process.stdout if "token=" in line)
        place = urlsplit(self.address)
        self.connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=600)
        self.headers: dict[str, str] = {}
        while True:  # the address is printed a moment before the server takes connections
            try:
                self.connection.request("GET", f"/?{place.query}")
                break
            except ConnectionRefusedError:
                self.connection.close()
                time.sleep(0.1)
        answer = self.connection.getresponse()
        answer.read()
        self.headers = {"cookie": str(answer.getheader("set-cookie")).split(";")[0]}

    def ask(self, method: str, path: str, values: Any = None) -> bytes:
        body = None if values is None else json.dumps(values)
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {content.decode()}")
        return content

    @property
    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def resident(self) -> float:
        """Memory in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def write_photo(path: Path, megapixels: float) -> None:
    """A generated photo of 4 : 3."""
    import numpy as np
    from PIL import Image

    from basam.lab.scenes import render

    height = round((megapixels * MEGAPIXELS * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    image = Image.fromarray(render(0, 1024, "lesion").image).resize((width, height), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).integers(-8, 9, (height, width, 1))
    Image.fromarray(np.clip(np.asarray(image).astype(np.int16) + grain, 0, 255).astype(np.uint8)).save(path, quality=92)


def share(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def clicks(served: Served, photo: dict[str, Any], method: str, count: int) -> None:
    key, place = photo["id"], random.Random(0)
    start = time.perf_counter()
    served.ask("POST", f"/api/photos/{key}/prepare", {"method": method})
    print(f"encoded after {time.perf_counter() - start:.1f} s")
    walls, memory, cpu = [], [], 0.0
    for index in range(count):
        point = [place.uniform(0, photo["width"]), place.uniform(0, photo["height"]), 1]
        values = {"name": "Object", "colour": "#e63946", "points": [point], "method": method}
        before, start = served.cpu_seconds, time.perf_counter()
        served.ask("PUT", f"/api/photos/{key}/objects/o{index % OBJECTS}", values)
        walls.append(time.perf_counter() - start)
        cpu += served.cpu_seconds - before
        if (index + 1) % max(1, count // 5) == 0:
            memory.append((index + 1, served.resident))
    median, most = (share(walls, part) * 1000 for part in (0.5, 0.95))
    print(f"click to mask, {photo['width']} x {photo['height']} px, {method}, {count} clicks:")
    print(f"median {median:.0f} ms, 95th percentile {most:.0f} ms; processor time {cpu / count * 1000:.0f} ms a click")
    print("memory: " + ", ".join(f"{megabytes:.0f} MB after {done}" for done, megabytes in memory))


def first_tile(served: Served, photo: dict[str, Any]) -> None:
    cpu, start = served.cpu_seconds, time.perf_counter()
    served.ask("GET", f"/api/photos/{photo['id']}/tiles/0/0/0")
    seconds, cpu = time.perf_counter() - start, served.cpu_seconds - cpu
    print(f"first tile of {photo['width']} x {photo['height']} px: {seconds:.2f} s; processor time {cpu:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, help="a generated one of 12 megapixels, where none is given")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--method", default="focus", choices=("focus", "basam", "plain"))
    parser.add_argument("--clicks", type=int, default=500)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small, large = words.photo or Path(folder) / "small.jpg", Path(folder) / "large.jpg"
        if words.photo is None:
            write_photo(small, 12)
        write_photo(large, 50)
        served = Served([small, large], Path(folder) / "session", words.model)
        try:
            one, other = json.loads(served.ask("GET", "/api/overview"))["photos"]
            first_tile(served, other)
            clicks(served, one, words.method, words.clicks)
        finally:
            served.process.terminate()
            served.process.wait()
    print("load average {:.1f}, {:.1f}, {:.1f} of {} cores".format(*os.getloadavg(), os.cpu_count() or 1))


if __name__ == "__main__":
    main()
