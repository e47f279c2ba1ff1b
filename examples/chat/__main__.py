"""Entry: `python -m examples.chat` starts the language model and the chat, and prints the address of the page."""

import os
import signal
import subprocess
import sys

import uvicorn

from examples.language_model.address import HOST, port

PORT = int(os.environ.get("CHAT_PORT", "5057"))

# Before the service is imported, because the client of OpenAI's SDK reads them when it is made.
os.environ |= {"OPENAI_BASE_URL": f"http://{HOST}:{port()}/v1", "OPENAI_API_KEY": "none"}
# uvicorn stops the chat, then raises the signal anew: it must not end this program before the language model ends.
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
# In a session of its own, so that Ctrl-C reaches this program alone.
with subprocess.Popen([sys.executable, "-m", "examples.language_model"], start_new_session=True) as language_model:
    try:
        print(f"Chat: http://{HOST}:{PORT}  Metrics: http://{HOST}:{PORT}/metrics  (Ctrl-C ends both)", flush=True)  # noqa: T201  # for whoever started it
        uvicorn.run("examples.chat.service:app", host=HOST, port=PORT, log_level="warning")
    finally:
        language_model.terminate()
