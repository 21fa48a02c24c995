"""OpenAI's models, and every server that speaks their protocol."""

from annotate.models.providers.openai.client import PLUGIN as PLUGIN
