"""The peers of bench/far.py, by a Python that has them: servers, a client, references.

    PYTHON bench/far_peers.py tiled-server|h5grove-server FILE PORT
    PYTHON bench/far_peers.py tiled-read ADDRESS DATASET START STOP
    PYTHON bench/far_peers.py kerchunk FILE

It imports nothing of ours. Results are a line of JSON.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import time
import warnings
from pathlib import Path


def tiled_server(file: str, port: str) -> None:
    """Serve a file by tiled, as its own adapter reads it."""
    import uvicorn
    from tiled.adapters.hdf5 import HDF5Adapter
    from tiled.adapters.mapping import MapAdapter
    from tiled.config import Authentication
    from tiled.server.app import build_app

    shot = HDF5Adapter.from_uris(Path(file).as_uri(), libver="v110", locking=False)
    tree = MapAdapter({"shot": shot})
    app = build_app(tree, Authentication(allow_anonymous_access=True, single_user_api_key="bench"))
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", timeout_keep_alive=300)


def h5grove_server(file: str, port: str) -> None:
    """Serve the folder of a file by h5grove's FastAPI router."""
    import hdf5plugin  # noqa: F401  h5grove opens compressed files with it
    import uvicorn
    from fastapi import FastAPI
    from h5grove.fastapi_utils import router, settings

    settings.base_dir = str(Path(file).parent)
    app = FastAPI()
    app.include_router(router)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", timeout_keep_alive=300)


def tiled_read(address: str, dataset: str, start: str, stop: str) -> None:
    """Read a slice by tiled's client, and again after a line of input; print times and digests."""
    from tiled.client import from_uri

    def read() -> None:
        rows = node[int(start) : int(stop)]
        digest = hashlib.sha256(rows.astype("<i2").tobytes()).hexdigest()
        seconds = time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "digest": digest}), flush=True)

    began = time.perf_counter()
    node = from_uri(address)["shot", *dataset.split("/")]
    read()
    sys.stdin.readline()
    began = time.perf_counter()
    read()


def kerchunk(file: str) -> None:
    """Print what kerchunk makes of a file, and how long its references would be with our codec."""
    from kerchunk.hdf import SingleHdf5ToZarr

    def references() -> dict[str, object]:
        with Path(file).open("rb") as opened:
            found = SingleHdf5ToZarr(opened, file, inline_threshold=0).translate()
        return dict(found["refs"])

    def chunks(refs: dict[str, object]) -> int:
        return sum(isinstance(value, list) for value in refs.values())

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        as_it_is = references()
    said = [line for w in caught for line in str(w.message).splitlines() if "bitshuffle" in line]
    # references have the place and length of each chunk, whatever its codec is
    SingleHdf5ToZarr._decode_filters = lambda *_: []
    without = references()
    text = json.dumps({"version": 1, "refs": without}).encode()
    print(
        json.dumps(
            {
                "said": said[0] if said else "",
                "chunks": chunks(as_it_is),
                "chunks_without_codec": chunks(without),
                "json": len(text),
                "gzip": len(gzip.compress(text, 6)),
            }
        )
    )


if __name__ == "__main__":
    WHAT = {
        "tiled-server": tiled_server,
        "h5grove-server": h5grove_server,
        "tiled-read": tiled_read,
        "kerchunk": kerchunk,
    }
    WHAT[sys.argv[1]](*sys.argv[2:])
