"""Whole sessions in Chromium: by keyboard, in two tabs, with double clicks, reloads, the back button and a lost connection."""

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.annotate.people.web import sites
from tests.annotate.people.web.browsers import Browser, browser

RIGHT = Keys.ARROW_RIGHT


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory):
    with browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def page(chrome: Browser):
    """The browser as a new person finds it, with one tab."""
    chrome.online(on=True)
    first, *others = chrome.chrome.window_handles
    for other in others:
        chrome.chrome.switch_to.window(other)
        chrome.chrome.close()
    chrome.chrome.switch_to.window(first)
    chrome.chrome.delete_all_cookies()
    chrome.chrome.set_window_size(1100, 1000)
    chrome.chrome.get("about:blank")
    chrome.chrome.get_log("browser")
    return chrome


@pytest.mark.parametrize(
    ("protocol", "plays", "answers", "expected"),
    [
        ("unisrm", "12", ["a"], {"value": {"A", "B"}}),
        ("speechjudge", "12", ["q", "o", RIGHT, RIGHT], {"value": {"A+2", "B+2"}}),
        ("rating", "p", list("1234512"), {"scores": {(("continuity", 4.0), ("distortion", 2.0), ("listening_effort", 1.0),
            ("naturalness", 5.0), ("noise", 1.0), ("overall", 2.0), ("speed", 3.0))}}),
    ],
)  # fmt: skip
def test_a_whole_session_from_invitation_to_tenth_vote_by_keyboard(
    tmp_path: Path, page: Browser, *, protocol: str, plays: str, answers: list[str], expected: dict
):
    with sites.served(tmp_path, protocol) as opened:
        opened.store.add_items(sites.items(opened.blobs, 10, clips=len(plays), duration_s=0.15))
        annotator = opened.invite()
        page.enter(opened, annotator)
        former = None
        for number in range(10):
            former = page.at_item(other_than=former)
            assert not page.ready()
            if number == 0:  # before anything was heard, keys do nothing
                page.press(*answers, Keys.ENTER)
                assert page.assignment() == former
            page.hear(*plays)
            page.vote(*answers)
            page.until(lambda n=number: opened.store.annotator(annotator).answered == n + 1, "the vote to be kept")
        page.until(page.at_end, "the end")
        kept = (opened.store.ratings() if protocol == "rating" else opened.store.votes()).to_pylist()
        assert len(kept) == 10
        for name, values in expected.items():
            assert {tuple(sorted(row[name])) if name == "scores" else row[name] for row in kept} <= values
        if protocol == "speechjudge":
            for row in kept:  # omission in what was played first, substitution in what was played second
                errors = (row["errors_a"], row["errors_b"])
                assert errors == (
                    (["omission"], ["substitution"]) if row["order"] == "ab" else (["substitution"], ["omission"])
                )
                assert row["value"] == ("B+2" if row["order"] == "ab" else "A+2")
        assert page.complaints() == []


def test_history_and_reference_are_played_by_keys(tmp_path: Path, page: Browser):
    with sites.served(tmp_path) as opened:
        turns = tuple(sites.tone(opened.blobs, 90 + number) for number in range(2))
        opened.store.add_items(
            sites.items(opened.blobs, 1, history=turns, references=(sites.tone(opened.blobs, 80),), note="They are late.")
        )
        page.enter(opened, opened.invite())
        page.hear("r", "h", "h", "1")
        assert not page.ready()
        page.hear("2")
        page.vote("b")
        page.until(page.at_end, "the end")
        assert opened.store.votes().num_rows == 1


def test_a_vote_before_the_end_is_refused_by_the_server_even_if_the_page_is_forced(tmp_path: Path, page: Browser):
    with sites.served(tmp_path) as opened:
        opened.store.add_items(sites.items(opened.blobs, 1))
        page.enter(opened, opened.invite())
        page.hear("1")
        page.script("""
            document.querySelectorAll('.player').forEach((player) => { player.dataset.heard = ''; });
            document.querySelectorAll('fieldset, #submit').forEach((one) => { one.disabled = false; });
            document.querySelector('input[value=A]').click();
            document.getElementById('form').requestSubmit();
        """)
        page.until(lambda: "end first" in page.status(), "the refusal")
        page.until(lambda: page.heard() == 1, "the page to know again what was heard")
        assert opened.store.votes().num_rows == 0
        page.hear("2")
        page.vote("a")
        page.until(page.at_end, "the end")
        assert opened.store.votes().num_rows == 1


def test_seeking_is_noticed_and_does_not_count_as_heard(tmp_path: Path, page: Browser):
    with sites.served(tmp_path) as opened:
        opened.store.add_items(sites.items(opened.blobs, 1, duration_s=2.0))
        page.enter(opened, opened.invite())
        page.script("""
            const plain = HTMLMediaElement.prototype.play;
            HTMLMediaElement.prototype.play = function () {
              this.addEventListener('playing', () => { this.currentTime = 1.9; }, { once: true });
              return plain.call(this);
            };
        """)
        page.press("1")
        page.until(lambda: "skipped" in page.status(), "the page to notice")
        assert page.heard() == 0


def test_two_tabs_show_one_item_and_move_on_together(tmp_path: Path, page: Browser):
    with sites.served(tmp_path) as opened:
        opened.store.add_items(sites.items(opened.blobs, 3))
        annotator = opened.invite()
        page.enter(opened, annotator)
        first = page.assignment()
        one = page.chrome.current_window_handle
        page.chrome.switch_to.new_window("tab")
        other = page.chrome.current_window_handle
        page.chrome.get(opened.site.base_url)
        assert page.at_item() == first
        page.hear("1", "2")
        page.chrome.switch_to.window(one)
        page.until(lambda: page.heard() == 2 or page.script("window.dispatchEvent(new Event('focus'))"), "what was heard")
        page.vote("a")
        second = page.at_item(other_than=first)
        page.chrome.switch_to.window(other)
        page.until(lambda: page.assignment() == second, "the other tab to move on")
        # A tab that has heard of nothing and votes on what was answered is told so, and moves on.
        page.hear("1", "2")
        page.script("BroadcastChannel.prototype.postMessage = () => undefined")
        page.script("new BroadcastChannel('listening').onmessage = null")
        page.press("b")
        page.script("""
            window.held = window.fetch;
            window.fetch = (path, options) => path === '/next' ? new Promise(() => undefined) : window.held(path, options);
        """)
        page.chrome.switch_to.window(one)
        page.until(lambda: page.heard() == 2 or page.script("window.dispatchEvent(new Event('focus'))"), "what was heard")
        page.vote("a")
        third = page.at_item(other_than=second)
        page.chrome.switch_to.window(other)
        page.script("window.fetch = window.held")
        assert page.assignment() == second
        page.vote("b")
        page.until(lambda: page.assignment() == third, "the late tab to move on")
        assert opened.store.votes().num_rows == 2
        assert opened.store.annotator(annotator).answered == 2


def test_double_click_double_enter_reload_and_back_lose_and_double_nothing(tmp_path: Path, page: Browser):
    with sites.served(tmp_path) as opened:
        opened.store.add_items(sites.items(opened.blobs, 4))
        annotator = opened.invite()
        page.enter(opened, annotator)
        first = page.assignment()
        page.hear("1")
        page.chrome.refresh()
        assert page.at_item() == first
        assert page.heard() == 1
        page.hear("2")
        page.press("b")
        page.chrome.refresh()
        page.at_item()
        assert page.until(page.ready, "the choice to be there after a reload")
        page.script("const go = document.getElementById('submit'); go.click(); go.click();")
        second = page.at_item(other_than=first)
        page.hear("1", "2")
        page.press("a")
        page.chrome.switch_to.active_element.send_keys(Keys.ENTER + Keys.ENTER)
        third = page.at_item(other_than=second)
        assert opened.store.votes().num_rows == 2
        page.chrome.get("about:blank")
        page.chrome.back()
        assert page.at_item() == third
        page.chrome.back()  # before the test began, or still at it: never at an item that was answered
        page.chrome.get(opened.site.base_url)
        assert page.at_item() == third
        page.hear("1", "2")
        page.press("i")
        page.until(page.ready, "the button")
        page.script("document.getElementById('submit').click(); location.reload();")  # reloaded while the vote is on its way
        page.at_item(other_than=third)
        assert opened.store.votes().num_rows == 3
        assert sorted(opened.store.votes()["value"].to_pylist()).count("invalid") == 1


def test_a_vote_outlives_a_lost_connection_and_a_reload_without_one(tmp_path: Path, page: Browser):
    with sites.served(tmp_path) as opened:
        opened.store.add_items(sites.items(opened.blobs, 3))
        page.enter(opened, opened.invite())
        first = page.assignment()
        page.hear("1", "2")
        page.online(on=False)
        page.vote("a")
        page.until(lambda: "Saving" in page.status() and "lost" in page.status(), "the page to say that it is saving")
        assert page.assignment() == first
        assert opened.store.votes().num_rows == 0
        page.online(on=True)
        second = page.at_item(other_than=first)
        assert opened.store.votes().num_rows == 1
        page.hear("1", "2")
        page.online(on=False)
        page.vote("b")
        page.until(lambda: "lost" in page.status(), "the page to say that it is saving")
        page.chrome.get("about:blank")  # the page is closed before it could save
        page.online(on=True)
        page.chrome.get(opened.site.base_url)
        page.at_item(other_than=second)
        assert opened.store.votes().num_rows == 2


def test_a_vote_outlives_the_end_of_its_session(tmp_path: Path, page: Browser):
    """Whose session is over signs in again, and the answer that was given is saved without being given again."""
    with sites.served(tmp_path) as opened:
        opened.store.add_items(sites.items(opened.blobs, 2))
        annotator = opened.invite()
        page.enter(opened, annotator)
        first = page.assignment()
        page.hear("1", "2")
        page.chrome.delete_all_cookies()
        page.vote("invalid"[0])
        page.until(lambda: page.script("return !document.getElementById('item')"), "the page to say how to get in")
        assert opened.store.votes().num_rows == 0
        page.chrome.get(opened.site.base_url + opened.link(annotator))
        page.at_item(other_than=first)
        assert opened.store.votes()["value"].to_pylist() == ["invalid"]


def test_the_next_clips_are_there_before_they_are_asked_for(tmp_path: Path, page: Browser):
    with sites.served(tmp_path) as opened:
        opened.store.add_items(sites.items(opened.blobs, 2))
        page.enter(opened, opened.invite())
        fetched = "return performance.getEntriesByType('resource').filter((one) => one.name.includes('/audio/')).map((one) => one.name)"
        page.until(lambda: len(set(page.script(fetched))) == 4, "four clips to be fetched")
        first = page.assignment()
        page.hear("1", "2")
        page.vote("a")
        second = page.at_item(other_than=first)
        assert sum(second in name for name in page.script(fetched)) == 2
        page.hear("1", "2")
        assert len(page.script(fetched)) == 4


def test_on_a_phone_nothing_is_wider_than_the_screen_and_targets_are_large(tmp_path: Path, page: Browser):
    with sites.served(tmp_path, "speechjudge") as opened:
        opened.store.add_items(sites.items(opened.blobs, 1, text="A" * 200, note="word " * 50))
        annotator = opened.invite()
        phone = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
        page.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        try:
            fits = "return [document.documentElement.scrollWidth, window.innerWidth]"
            page.chrome.get(opened.site.base_url + opened.link(annotator))
            seen = [page.script(fits)]
            opened.store.consent(annotator)
            page.chrome.get(opened.site.base_url)
            seen.append(page.script(fits))
            opened.store.confirm_equipment(annotator)
            page.chrome.get(opened.site.base_url)
            page.at_item()
            seen.append(page.script(fits))
            page.chrome.get(opened.site.base_url + opened.admin_link())
            seen.append(page.script(fits))
            assert seen == [[360, 360]] * 4
            page.chrome.get(opened.site.base_url)
            heights = page.script(
                "return [...document.querySelectorAll('.play, .option, .main')].map((one) => one.offsetHeight)"
            )
            assert min(heights) >= 44
        finally:
            page.chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_interface_is_there_in_chinese(tmp_path: Path, page: Browser):
    with sites.served(tmp_path) as opened:
        opened.store.add_items(sites.items(opened.blobs, 1))
        page.enter(opened, opened.invite())
        page.chrome.get(opened.site.base_url + "/?lang=zh")
        page.at_item()
        page.hear("1", "2")
        assert "已听完" in page.script("return document.getElementById('told-0').textContent")
        assert page.script("return document.documentElement.lang") == "zh"
        page.vote("a")
        page.until(page.at_end, "the end")
        assert "谢谢" in page.script("return document.querySelector('h1').textContent")


def test_texts_do_not_run_in_the_browser(tmp_path: Path, page: Browser):
    with sites.served(tmp_path) as opened:
        opened.store.add_items(sites.items(opened.blobs, 2, text=sites.NASTY, note=sites.NASTY))
        page.enter(opened, opened.invite(sites.NASTY))
        assert page.script("return document.querySelector('.text').textContent") == sites.NASTY
        assert page.script("return document.querySelectorAll('.text *, .note script, .note img').length") == 0
        page.script("const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s);")
        assert page.script("return window.ran") is None  # even a script that got in would not run
