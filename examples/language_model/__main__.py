"""Entry: `python -m examples.language_model`."""

import uvicorn

from examples.language_model.server import HOST, app, port

uvicorn.run(app, host=HOST, port=port(), log_level="warning")
