from __future__ import annotations

import socket

from activesynth.embedded.loopback import HOST, is_free, reserved_port


def test_a_free_port_is_given_as_preferred() -> None:
    with reserved_port(0) as any_port:
        pass
    with reserved_port(any_port) as port:
        assert port == any_port


def test_two_platforms_that_start_at_once_get_two_ports_before_either_listens() -> None:
    with reserved_port(18080) as one, reserved_port(18080) as other:
        assert one != other
        assert is_free(one)
        assert is_free(other)


def test_a_port_that_is_served_is_not_given() -> None:
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        taken = server.getsockname()[1]

        assert not is_free(taken)
        with reserved_port(taken) as port:
            assert port != taken
