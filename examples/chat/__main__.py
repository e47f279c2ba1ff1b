"""Entry: `python -m examples.chat` starts the language model and the chat, and prints the address of the page."""

import os
import subprocess
import sys

import uvicorn

from examples.language_model.server import HOST
from examples.language_model.server import port as language_model_port

PORT = int(os.environ.get("CHAT_PORT", "5057"))

# Before the service is imported, because the client of OpenAI's SDK reads them when it is made.
os.environ |= {"OPENAI_BASE_URL": f"http://{HOST}:{language_model_port()}/v1", "OPENAI_API_KEY": "none"}
with subprocess.Popen([sys.executable, "-m", "examples.language_model"]) as language_model:
    try:
        print(f"Chat: http://{HOST}:{PORT}  Metrics: http://{HOST}:{PORT}/metrics  (Ctrl-C ends both)", flush=True)  # noqa: T201  # it is for whoever started it
        uvicorn.run("examples.chat.service:app", host=HOST, port=PORT, log_level="warning")
    finally:
        language_model.terminate()
