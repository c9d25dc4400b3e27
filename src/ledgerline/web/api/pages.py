"""`/docs`: Swagger UI out of an installed package, so that nothing is loaded from elsewhere."""

from __future__ import annotations

from importlib import resources
from typing import Final

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse

router = APIRouter(prefix="/docs", include_in_schema=False)

# No script and no style in the page itself: its Content-Security-Policy allows files of this host only.
_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; "
    "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_CACHED: Final = "private, max-age=86400"
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ledgerline API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# A key that was entered is forgotten with the page: what is stored in a browser is a key at rest.
_START: Final = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: false,
  validatorUrl: null,
});
"""
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".png": "image/png"}
_PACKAGED: Final = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})


@router.get("")
async def page() -> Response:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/{name}")
def file(name: str) -> Response:
    if name == "start.js":
        content = _START.encode()
    elif name in _PACKAGED:
        content = (resources.files("fastapi_swagger") / "resources" / name).read_bytes()
    else:
        raise HTTPException(404)
    kind = _TYPES[name[name.rindex(".") :]]
    return Response(content, media_type=kind, headers={"Cache-Control": _CACHED})
