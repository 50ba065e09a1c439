"""Every word a model reads: templates, few-shot exemplars per domain, and the loader that checks them."""

from prompts.loader import VARIABLES, PromptFiles, PromptSet, load_prompts

__all__ = ["VARIABLES", "PromptFiles", "PromptSet", "load_prompts"]
