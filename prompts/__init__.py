"""Every word a model reads: templates, few-shot exemplars per domain, and the loader that checks them."""

from prompts.loader import VARIABLES, PromptSet, load_prompts

__all__ = ["VARIABLES", "PromptSet", "load_prompts"]
