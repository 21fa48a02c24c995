"""Running the app: one process, no access log."""

from starlette.applications import Starlette


def serve(app: Starlette, host: str, port: int) -> None:
    """Serve until interrupted.

    Invitation tokens are part of addresses, so addresses are not logged. A proxy in front is believed about the client's
    address only if it runs on this machine (uvicorn's default).
    """
    import uvicorn

    uvicorn.run(
        app, host=host, port=port, access_log=False, log_level="warning", server_header=False, timeout_graceful_shutdown=5
    )
