"""`kill -9` during a burst: whatever was answered is there after the restart, on both stores."""

import itertools
import threading

from tools import openssl

WORKERS = 8
ANSWERS_BEFORE_KILL = 150
ROUNDS = 3


class Burst:
    """Callers that make certificates and change their status as fast as they can, noting what was answered."""

    def __init__(self, account, request_pem: str):
        self.account = account
        self.request_pem = request_pem
        self.lock = threading.Lock()
        self.enough = threading.Event()
        self.answered: dict[str, set[str]] = {}
        self.answers = 0

    def note(self, certificate_id: str, *statuses: str) -> None:
        with self.lock:
            self.answered[certificate_id] = set(statuses)
            self.answers += 1
            if self.answers >= ANSWERS_BEFORE_KILL:
                self.enough.set()

    def work(self) -> None:
        iot = self.account.client("iot")
        for number in itertools.count():
            try:
                made = iot.create_certificate_from_csr(certificateSigningRequest=self.request_pem, setAsActive=True)
                certificate_id = made["certificateId"]
                self.note(certificate_id, "ACTIVE")
                status = ("INACTIVE", "REVOKED")[number % 2]
                # From here on either state may be found, until the change is answered.
                with self.lock:
                    self.answered[certificate_id] = {"ACTIVE", status}
                iot.update_certificate(certificateId=certificate_id, newStatus=status)
                self.note(certificate_id, status)
            except Exception:  # noqa: BLE001 - the server was killed under the call
                return


def test_nothing_that_was_answered_is_lost_by_a_crash(start_server, tmp_path):
    from account import Account

    server = start_server()
    account = Account(server, server.first_account(), tmp_path)
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "key.pem")
    request_pem = openssl("req", "-new", "-key", tmp_path / "key.pem", "-subj", "/CN=crash")
    found_in_all = 0
    for _ in range(ROUNDS):
        burst = Burst(account, request_pem)
        workers = [threading.Thread(target=burst.work) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        assert burst.enough.wait(60), "the burst made no progress"
        server.kill()
        for worker in workers:
            worker.join(30)
            assert not worker.is_alive()
        server.start()
        account = Account(server, server.first_account(), tmp_path)
        iot = account.client("iot")
        for certificate_id, statuses in burst.answered.items():
            described = iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
            assert described["status"] in statuses, certificate_id
        found_in_all += len(burst.answered)
    listed = [item for page in iot.get_paginator("list_certificates").paginate() for item in page["certificates"]]
    assert len(listed) >= found_in_all
