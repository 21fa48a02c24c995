"""Google's Gemini models."""

from annotate.models.providers.gemini.client import PLUGIN as PLUGIN
