"""Make the messages of kernels valid outputs of a notebook.

A cell may display anything, and nbformat raises an error for what its schema does not allow: a
number as ``text/plain``, an object as a MIME type that does not end in ``json``. Such an output is
converted to text and keeps its content.
"""

from __future__ import annotations

import json
import re
from typing import Any

from nbformat.v4 import new_output

MAX_DEPTH = 100  # of nested lists and objects in one output
_JSON = re.compile(r"application/(?:.*\+)?json")  # nbformat allows any value for these MIME types


def make_valid(message: dict[str, Any]) -> None:
    """Change the content of a message, where necessary, so that nbformat accepts it.

    Raises
    ------
    ValueError
        The content is nested too deeply to be written.
    """
    content = message.get("content")
    if not isinstance(content, dict):
        message["content"] = content = {}
    kind = message.get("msg_type")
    if not is_shallow(content, MAX_DEPTH):
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    if "execution_count" in content and type(content["execution_count"]) is not int:
        content["execution_count"] = None
    if kind in {"display_data", "execute_result", "update_display_data"}:
        _display(content)
        if kind == "execute_result":
            content.setdefault("execution_count", None)
    elif kind == "stream":
        content["name"] = "stderr" if content.get("name") == "stderr" else "stdout"
        content["text"] = _text(content.get("text", ""))
    elif kind == "error":
        lines = content.get("traceback")
        content["traceback"] = [_text(x) for x in lines] if isinstance(lines, list) else []
        for name in ("ename", "evalue"):
            content[name] = _text(content.get(name, ""))


def unreadable_output(error: Exception) -> Any:
    """Return the output that replaces an unreadable one."""
    why = f"{type(error).__name__}: {error}"[:300]
    text = f"An output of this cell cannot be read and is left out ({why}).\n"
    return new_output("stream", name="stderr", text=_text(text))


def is_shallow(value: object, max_depth: int) -> bool:
    """Return whether lists and objects are nested at most ``max_depth`` deep."""
    level = [value]
    for _ in range(max_depth + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list | tuple)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False


def _display(content: dict[str, Any]) -> None:
    data, metadata, transient = (content.get(n) for n in ("data", "metadata", "transient"))
    content["metadata"] = _encodable(metadata) if isinstance(metadata, dict) else {}
    # data that is no MIME bundle is shown as text
    bundle = data if isinstance(data, dict) else {} if data is None else {"text/plain": data}
    content["data"] = {
        _text(kind): _encodable(value) if _JSON.fullmatch(kind) else _lines(value)
        for kind, value in bundle.items()
    }
    if not isinstance(transient, dict) or not isinstance(transient.get("display_id"), str):
        content["transient"] = {}


def _lines(value: Any) -> str | list[str]:
    if isinstance(value, list) and all(isinstance(x, str) for x in value):
        return [_text(x) for x in value]
    return _text(value)


def _text(value: Any) -> str:
    """Return a text that UTF-8 can encode; of any other value, its JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(k): _encodable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(x) for x in value]
    return value
