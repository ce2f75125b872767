"""The server says of itself that it is well, and hands out what clients need to trust it."""

import urllib.request


def get(url: str) -> tuple[int, bytes]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=20) as answer:
        return answer.status, answer.read()


def test_a_ready_server_is_healthy(server):
    status, _ = get(f"{server.api_url}/_gatehouse/health")
    assert status == 200


def test_the_root_is_handed_out_as_it_stands_on_disk(server):
    status, body = get(f"{server.api_url}/root-ca.pem")
    assert status == 200
    assert body == server.root_ca.read_bytes()
