"""Chat templates by name: the embedded model's, or that of a tokenizer's folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from palestra.core.errors import PalestraError
from palestra.models.embedded.weights import require_libraries, required_weights_path

if TYPE_CHECKING:
    from palestra.data.export.template import ChatTemplate

EMBEDDED = "embedded"


def open_chat_template(name: str) -> "ChatTemplate":
    """`embedded`, or a folder with tokenizer.json and tokenizer_config.json. Raises PalestraError."""
    require_libraries()
    # Here and not above: without these packages the command must still say what to install.
    from palestra.data.export.template import template_of_folder

    if name == EMBEDDED:
        return embedded_template()
    if not Path(name).is_dir():
        raise PalestraError("missing-file", f"--tokenizer {name} is no folder", fix=f"Name a folder, or {EMBEDDED}.")
    return template_of_folder(Path(name))


def embedded_template() -> "ChatTemplate":
    from palestra.data.export.template import ChatTemplate
    from palestra.models.embedded.gguf import GgufFile
    from palestra.models.embedded.tokenizer import Tokenizer

    metadata = GgufFile(required_weights_path()).metadata
    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    ids = {name: metadata[f"tokenizer.ggml.{name}_token_id"] for name in ("bos", "eos")}
    special = {f"{name}_token": tokens[index] for name, index in ids.items()}
    tokenizer = Tokenizer(metadata).with_control_tokens()
    return ChatTemplate(EMBEDDED, metadata["tokenizer.chat_template"], tokenizer, special)
