"""Entry: `python -m examples.language_model`."""

import uvicorn

from examples.language_model.address import HOST, port
from examples.language_model.server import app

uvicorn.run(app, host=HOST, port=port(), log_level="warning")
