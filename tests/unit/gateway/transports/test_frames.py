import pytest
from websockets.frames import Frame, Opcode

from gateway.config import Limits
from gateway.transports import frames
from gateway.transports.frames import EXTENSION, PLAIN, FramesProtocol, text_frame, websocket_protocol, write_frames_of


@pytest.mark.parametrize("size", [0, 1, 125, 126, 1000, 65_535, 65_536, 70_000])
def test_frame_equals_that_of_the_library(size: int) -> None:
    text = b"x" * size
    assert text_frame(text[: size // 3], text[size // 3 :]) == Frame(Opcode.TEXT, text).serialize(mask=False)


def test_another_uvicorn_serves_without_ready_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    assert issubclass(websocket_protocol(Limits()), FramesProtocol)
    monkeypatch.setattr(frames, "_RELIED_ON", frozenset({"transport", "renamed"}))
    assert websocket_protocol(Limits()) == PLAIN


def test_a_server_without_the_extension_has_no_ready_frames() -> None:
    assert write_frames_of({"type": "websocket"}) is None
    assert write_frames_of({"type": "websocket", "extensions": {}}) is None
    assert write_frames_of({"extensions": {EXTENSION: bool}}) is bool
