"""What other processes get of the environment: no keys, but what they work with."""

import pytest

from flows.run.environment import server_environment, without_secrets
from flows.run.pipeline import open_build
from flows.run.question import key_variables
from tests.flows.small import corpus, recipe

SECRET = [
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "OPENAI_API_KEY",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "UNISRM_LISTENING_SECRET",
    "UNISRM_LEDGER",
    "ANTHROPIC_AUTH_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "PGPASSWORD",
    "KAGGLE_KEY",
    "SENTRY_DSN",
    "PREFECT_API_KEY",
    "PREFECT_API_AUTH_STRING",
    "SSH_AUTH_SOCK",
    "service_password",
    "GOOGLE_APPLICATION_CREDENTIALS_JSON",
]
NEEDED = [
    "PATH",
    "PWD",
    "HOME",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "HF_HOME",
    "TOKENIZERS_PARALLELISM",
    "KEYBOARD",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "RAY_AUTH_TOKEN_PATH",
]


@pytest.mark.parametrize("name", SECRET)
def test_a_secret_stays_here(name):
    """Workers get no variable whose name says that it is a secret."""
    assert without_secrets({name: "value"}) == {}


@pytest.mark.parametrize("name", NEEDED)
def test_what_engines_and_buckets_need_is_passed_on(name):
    """Paths, devices and the credentials of object stores are no business of this."""
    assert without_secrets({name: "value"}) == {name: "value"}


def test_a_login_in_a_value_stays_here():
    """A database's URL may have any name; a proxy's URL is the way to the bucket."""
    login = "postgresql://unisrm:pa55@db/ledger"
    assert without_secrets(
        {
            "WHERE": login,
            "VOTES": "postgresql:///votes?user=me&password=x",
            "HTTPS_PROXY": "http://me:pw@proxy:3128",
            "SITE": "https://a.example/b",
        }
    ) == {
        "HTTPS_PROXY": "http://me:pw@proxy:3128",
        "SITE": "https://a.example/b",
    }


def test_judges_declare_where_they_look_for_keys(tmp_path):
    """A recipe may keep a key in a variable of any name, and a judge that it does not ask may have one, too."""
    corpus(tmp_path / "corpus", [])
    server = {"name": "openai", "options": {"base_url": "http://127.0.0.1:9/v1", "key_variable": "OUR_LLM"}}
    build = open_build(recipe(tmp_path, judges=[{"task": "teacher", **server}]), str(tmp_path / "ws"))
    declared = key_variables(build.recipe)
    assert declared == {"GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "OUR_LLM"}
    assert without_secrets({"OUR_LLM": "value"}, declared) == {}


def test_prefects_server_gets_its_own_settings_and_no_more():
    """It needs no key at all, whatever it is called."""
    environment = dict.fromkeys(
        [*SECRET, *NEEDED, "OUR_LLM", "PREFECT_HOME", "PREFECT_SERVER_DATABASE_CONNECTION_URL"], "value"
    )
    assert set(server_environment(environment)) == {
        "PATH",
        "HOME",
        "LD_LIBRARY_PATH",
        "PREFECT_HOME",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL",
        "PREFECT_API_AUTH_STRING",  # local_api puts its own there
    }
