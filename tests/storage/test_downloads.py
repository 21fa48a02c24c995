"""Weights that are fetched on first use: whether they are here, and whether their server offers them."""

import http.server
import threading

import huggingface_hub.constants
import pytest

from contracts import plugins
from scoring.metrics.utmos import Utmos
from storage import downloads
from storage.downloads import Downloading, HubFile, WebFile, to_fetch, unobtainable

FETCHING = [
    (kind, name)
    for kind in ("engine", "metric", "asr")
    for name in plugins.names(kind)
    if isinstance(plugins.configure(kind, name), Downloading)
]
WAVLM = {"encoder": "wavlm"}


class Server(http.server.BaseHTTPRequestHandler):
    """Offers one file of one model; everything else is 404."""

    def do_HEAD(self):
        there = self.path == "/org/model/resolve/main/model.bin"
        self.send_response(200 if there else 404)
        self.send_header("ETag", '"e"')
        self.send_header("X-Repo-Commit", "c" * 40)
        self.send_header("Content-Length", "1")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


def hub(monkeypatch, url):
    """Let the Hub's client ask this server, as ``HF_ENDPOINT`` does at its import."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", url)
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture(autouse=True)
def _nothing_is_cached(tmp_path, monkeypatch):
    """Empty caches and a hub that nobody answers for: port 9 of this machine."""
    for variable in ("HF_HOME", "HF_HUB_CACHE", "TORCH_HOME", "XDG_CACHE_HOME", "CACHED_PATH_CACHE_ROOT"):
        monkeypatch.setenv(variable, str(tmp_path / "cache"))
    for variable in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    hub(monkeypatch, "http://127.0.0.1:9")
    for remembered in (downloads._hub_refusal, downloads._web_refusal):
        remembered.cache_clear()
    yield
    for remembered in (downloads._hub_refusal, downloads._web_refusal):
        remembered.cache_clear()


@pytest.fixture
def server(monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as opened:
        threading.Thread(target=opened.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{opened.server_port}"
        hub(monkeypatch, url)
        yield url
        opened.shutdown()


def cache(folder, repo, name):
    """Put a file where the Hub's client keeps it."""
    model = folder / f"models--{repo.replace('/', '--')}"
    path = model / "snapshots" / "abc" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    (model / "refs").mkdir(exist_ok=True)
    (model / "refs" / "main").write_text("abc")


def test_a_file_of_the_hub_is_offered_or_not(server):
    """One of its names is enough; a model that is not there is no crash, and no id either."""
    assert HubFile(repo="org/model", names=("model.bin",)).refusal() is None
    assert HubFile(repo="org/model", names=("other.bin", "model.bin")).refusal() is None
    for repo in ("org/none", "no id", "a/b/c"):
        why = HubFile(repo=repo, names=("model.bin",)).refusal()
        assert why
        assert f"hf download {repo}" in why
        assert "\n" not in why


def test_a_cached_file_asks_nobody(tmp_path):
    """Neither the Hub, which does not answer, nor a server of files."""
    file = HubFile(repo="org/model", names=("other.bin", "model.bin"))
    assert not file.is_cached()
    cache(tmp_path / "cache", "org/model", "model.bin")
    assert file.is_cached()
    own = HubFile(repo="org/own", names=("model.bin",), cache_dir=str(tmp_path / "own"))
    cache(tmp_path / "own", "org/own", "model.bin")
    assert own.is_cached()
    assert WebFile(url="https://example.org/x", path=tmp_path).is_cached()
    assert not HubFile(repo="no id", names=("model.bin",)).is_cached()


def test_who_may_not_fetch_needs_the_cache(server):
    """``local_files_only``: that the Hub has it is no help."""
    why = HubFile(repo="org/model", names=("model.bin",), may_fetch=False).refusal()
    assert "local_files_only" in why


def test_a_file_at_an_address_is_offered_or_not(server, tmp_path):
    """Its headers say so."""
    path = tmp_path / "none"
    assert WebFile(url=f"{server}/org/model/resolve/main/model.bin", path=path).refusal() is None
    assert "404" in WebFile(url=f"{server}/none", path=path).refusal()
    assert "refused" in WebFile(url="http://127.0.0.1:9/none", path=path).refusal().lower()


def test_some_plug_ins_fetch():
    """The sweep below is over these at least."""
    expected = {
        "utmos",
        "audiobox",
        "fad",
        "sim",
        "wer",
        "whisper_large_v3",
        "emotion2vec",
        "paraformer_zh",
        "by_language",
        "chattts",
        "cosyvoice2",
        "f5tts",
        "maskgct",
        "xtts",
    }
    assert {name for _, name in FETCHING} == expected


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        *((kind, name, {}) for kind, name in FETCHING if name not in {"sim", "wer"}),
        ("metric", "sim", WAVLM),
        ("metric", "wer", {"asr": "by_language"}),
    ],
)
def test_weights_that_nobody_has_are_said(kind, name, options):
    """Every plug-in that would fetch: without a cache and a network it is not ready, in one line that names what."""
    plugin = plugins.configure(kind, name, options)
    why = unobtainable(plugin)
    assert why.startswith("its weights are not on this machine and cannot be fetched: ")
    assert str(to_fetch(plugin)[0]) in why
    assert "\n" not in why


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [("metric", "sim", {}), ("metric", "wer", {}), ("engine", "kokoro", {}), ("engine", "chattts", {"model_path": "/weights"})],
)
def test_what_is_embedded_or_given_fetches_nothing(kind, name, options):
    """No network is asked."""
    assert to_fetch(plugins.configure(kind, name, options)) == []


def test_utmos_needs_code_and_weights(tmp_path):
    """Each is looked for where torch.hub keeps it; a folder's own code may take other weights."""
    hub = tmp_path / "cache" / "hub"
    code, weights = Utmos().downloads()
    assert weights.path == hub / "checkpoints" / "utmos22_strong_step7459_v1.pt"
    for file in (code, weights):
        file.path.parent.mkdir(parents=True)
        file.path.write_text("x")
    assert unobtainable(Utmos()) is None
    weights.path.unlink()
    assert weights.url in unobtainable(Utmos())
    (tmp_path / "hubconf.py").write_text(f"URLS = {{'utmos22_strong': '{weights.url}'}}")
    assert weights.url in unobtainable(Utmos(repository=str(tmp_path)))
    (tmp_path / "hubconf.py").write_text("")
    assert unobtainable(Utmos(repository=str(tmp_path))) is None
