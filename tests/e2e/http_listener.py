"""A listener at the other end of a real connection: signs in, passes the headphone check by ear, hears clips out, and votes."""

import html
import http.cookiejar
import io
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import numpy as np
import soundfile


class Listener:
    """One person with one browser's cookies."""

    def __init__(self, link: str) -> None:
        self.origin = "/".join(link.split("/")[:3])
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._open = urllib.request.build_opener(jar, urllib.request.ProxyHandler({}))
        self._csrf = ""
        self.get(link.removeprefix(self.origin))

    def get(self, path: str) -> str:
        return self._bytes(path).decode()

    def _bytes(self, path: str) -> bytes:
        with self._open.open(f"{self.origin}{path}", timeout=30) as reply:
            return reply.read()

    def post(self, path: str, **said: object) -> dict:
        """Post as the page's script does; a refusal comes back as its body with the status."""
        headers = {"Content-Type": "application/json", "Origin": self.origin, "X-CSRF-Token": self._csrf}
        request = urllib.request.Request(f"{self.origin}{path}", json.dumps(said).encode(), headers)
        try:
            with self._open.open(request, timeout=30) as reply:
                return json.load(reply) | {"status": reply.status}
        except urllib.error.HTTPError as error:
            return json.load(error) | {"status": error.code}

    def page(self) -> str:
        """Open the page of the step that is next."""
        page = self.get("/")
        self._csrf = html.unescape(re.search(r'data-csrf="([^"]*)"', page)[1])
        return page

    def sign_in(self) -> None:
        """Consent, and pass the headphone check."""
        self.page()
        assert self.post("/consent", agree="yes")["status"] == 200
        page = self.page()
        challenge = re.search(r'data-challenge="([^"]+)"', page)[1]
        answers = {}
        for number, path in enumerate(re.findall(r'data-sound="([^"]+)"', page)):
            tones = _tones(self._bytes(path))
            if number == 0:
                answers[f"{number}-left"] = str(sum(left > right for left, right in tones))
                answers[f"{number}-right"] = str(sum(left < right for left, right in tones))
            else:
                answers[f"{number}-position"] = str(1 + min(range(3), key=lambda place: tones[place][0]))
        passed = self.post(
            "/check", challenge=challenge, quiet="yes", headphones="yes", hearing="yes", fluent="yes", answers=answers
        )
        assert passed["status"] == 200, passed

    def vote_on_all(self, say: Callable[[str], str]) -> list[dict]:
        """Vote until nothing is left and return the receipts; ``say`` maps an assignment to a value in played order."""
        receipts = []
        while (found := re.search(r'data-assignment="([^"]+)"', page := self.page())) is not None:
            assignment = found[1]
            slots = re.findall(r'data-slot="([^"]+)" data-src="([^"]+)" (data-needed)?', page)
            for slot, src, needed in slots:
                clip = soundfile.info(io.BytesIO(self._bytes(src)))
                if needed:
                    if not receipts:
                        refused = self.post("/vote", assignment=assignment, form={"value": [say(assignment)]})
                        assert (refused["status"], refused["reason"]) == (409, "not_heard")
                    assert self.post("/played", assignment=assignment, slot=slot, what="started")["status"] == 200
                    time.sleep(clip.duration)  # the server's clock decides
                    assert self.post("/played", assignment=assignment, slot=slot, what="ended")["status"] == 200
            receipts.append(self.post("/vote", assignment=assignment, form={"value": [say(assignment)]}))
            assert receipts[-1]["status"] == 200, receipts[-1]
        return receipts


def _tones(file: bytes) -> list[tuple[float, float]]:
    """Return the loudness of each tone in the left and in the right ear."""
    samples, rate = soundfile.read(io.BytesIO(file))
    loud = np.abs(samples).max(axis=1) > 1e-3
    window = round(0.05 * rate)
    heard = np.convolve(loud, np.ones(window), mode="same") > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], heard.astype(int), [0]])))
    spans = zip(edges[::2], edges[1::2], strict=True)
    return [tuple(np.sqrt((samples[begin:end] ** 2).mean(axis=0))) for begin, end in spans]
