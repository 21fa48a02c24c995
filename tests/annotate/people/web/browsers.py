"""Chromium without a screen, used by the keyboard."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.annotate.people.web.sites import Opened

WAIT_S = 15


def programs() -> tuple[str, str]:
    """Return Chromium and its driver, or skip the test."""
    chromium, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if not chromium or not driver:
        pytest.skip("browser tests need Debian's packages chromium and chromium-driver")
    return chromium, driver


@contextlib.contextmanager
def browser(profile: Path) -> Iterator["Browser"]:
    """Start Chromium with a profile of its own."""
    chromium, driver = programs()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--autoplay-policy=no-user-gesture-required",
        "--mute-audio",
        "--window-size=1100,1000",
        "--lang=en",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    try:
        yield Browser(chrome)
    finally:
        chrome.quit()


class Browser:
    """What a listener sees and presses."""

    def __init__(self, chrome: webdriver.Chrome) -> None:
        self.chrome = chrome

    def until(self, true: Callable[[], Any], what: str) -> Any:
        """Wait until something is true."""
        waiting = WebDriverWait(self.chrome, WAIT_S, poll_frequency=0.02, ignored_exceptions=[StaleElementReferenceException])
        return waiting.until(lambda _: true(), f"waited for {what}; the page says: {self.status()!r}")

    def script(self, code: str, *said: Any) -> Any:
        return self.chrome.execute_script(code, *said)

    def status(self) -> str:
        return self.script("return document.getElementById('status')?.textContent || ''")

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            self.chrome.switch_to.active_element.send_keys(key)

    def focus(self, selector: str) -> None:
        """Go to an element by Tab, as somebody without a mouse does."""
        for _ in range(60):
            if self.script("return document.activeElement.matches(arguments[0])", selector):
                return
            self.press(Keys.TAB)
        raise AssertionError(f"{selector} is not reached by Tab")

    def enter(self, opened: Opened, annotator_id: str) -> None:
        """Open the invitation, consent and pass the headphone check, by keyboard."""
        self.chrome.get(opened.site.base_url + opened.link(annotator_id))
        self.focus("[name=agree]")
        self.press(Keys.SPACE)
        self.focus("button.main")
        self.press(Keys.ENTER)
        self.until(lambda: self.script("return !!document.querySelector('[data-challenge]')"), "the headphone check")
        self.press("1")
        for name in ("quiet", "headphones", "hearing", "fluent"):
            self.focus(f"[name={name}]")
            self.press(Keys.SPACE)
        answers = opened.app.state.challenges.current(annotator_id).answers
        for name, value in answers.items():
            self.focus(f"[name='{name}']")
            self.press(Keys.SPACE, *[Keys.ARROW_RIGHT] * (int(value) - 1))
        self.focus("button.main")
        self.press(Keys.ENTER)
        self.at_item()

    def at_item(self, *, other_than: str | None = None) -> str:
        """Wait for an item and return its assignment."""
        return self.until(lambda: self._other(other_than), "an item")

    def _other(self, former: str | None) -> str | None:
        shown = self.assignment()
        return shown if shown and shown != former else None

    def assignment(self) -> str | None:
        return self.script("return document.getElementById('item')?.dataset.assignment || null")

    def at_end(self) -> bool:
        return self.script("return !!document.querySelector('[data-page=end]')")

    def hear(self, *keys: str) -> None:
        """Play clips by their keys, each to its end."""
        for key in keys:
            count = self.heard()
            self.press(key)
            self.until(lambda count=count: self.heard() > count, f"the clip of key {key} to end")

    def heard(self) -> int:
        return self.script("return document.querySelectorAll('.player[data-heard]').length")

    def ready(self) -> bool:
        return self.script("return !document.getElementById('submit').disabled")

    def vote(self, *keys: str) -> None:
        """Answer by keys and save."""
        self.press(*keys)
        self.until(self.ready, "the button to save")
        self.press(Keys.ENTER)

    def online(self, *, on: bool) -> None:
        """Lose the connection, or find it again."""
        self.chrome.execute_cdp_cmd("Network.enable", {})
        conditions = {"offline": not on, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.chrome.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)

    def complaints(self) -> list[str]:
        """Return what the console says of errors, other than answers that the tests ask for."""
        ignored = ("ERR_INTERNET_DISCONNECTED", "status of 409", "status of 401")
        return [
            entry["message"]
            for entry in self.chrome.get_log("browser")
            if entry["level"] == "SEVERE" and not any(word in entry["message"] for word in ignored)
        ]
