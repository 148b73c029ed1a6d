"""One web process as `planhub serve` runs them: `python -m benchmarks._web MODULE:FACTORY PORT`, until it is told to end."""

import sys

import uvicorn


def main(factory: str, port: int) -> None:
    uvicorn.run(
        factory,
        factory=True,
        host="127.0.0.1",
        port=port,
        server_header=False,
        date_header=True,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=64 * 1024,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
