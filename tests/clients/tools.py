"""Programs of the system as clients: openssl, curl, mosquitto."""

import subprocess


def openssl(*arguments, given: str = "") -> str:
    """`openssl`; answers its stdout."""
    done = try_openssl(*arguments, given=given)
    assert done.returncode == 0, f"openssl {arguments} ended with {done.returncode}:\n{done.stderr}"
    return done.stdout


def try_openssl(*arguments, given: str = "") -> subprocess.CompletedProcess:
    """`openssl`, whatever comes of it."""
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, text=True, timeout=60)


def handshake(port: int, *, server_name: str | None, root_ca, device=None, options=()) -> subprocess.CompletedProcess:
    """One TLS handshake by `openssl s_client`, which ends as soon as it is through. `server_name=None` sends no SNI.

    In TLS 1.3 the server judges the client's certificate after the client is through: exit code 0 alone says nothing
    of admission.
    """
    name = ["-noservername"] if server_name is None else ["-servername", server_name]
    own = [] if device is None else ["-cert", device.certificate, "-key", device.key]
    return try_openssl(
        "s_client", "-connect", f"127.0.0.1:{port}", *name, "-CAfile", root_ca, "-verify_return_error", *own, *options
    )


def mosquitto(program: str, port: int, *, root_ca, device, options=()) -> subprocess.CompletedProcess:
    """`mosquitto_pub` or `mosquitto_sub`, whatever comes of it.

    They cannot be led elsewhere than the name they ask for, so they use `localhost`, the first account's built-in
    endpoint.
    """
    return subprocess.run(
        [program, "-h", "localhost", "-p", str(port), "--cafile", root_ca, "--cert", device.certificate]
        + ["--key", device.key, *options],
        capture_output=True,
        text=True,
        timeout=60,
    )


def curl(url: str, *, root_ca, device=None, port: int, options=()) -> subprocess.CompletedProcess:
    """`curl` to the host of `url`, wherever that is said to be, at `port` of this machine; whatever comes of it."""
    host = url.removeprefix("https://").partition("/")[0].partition(":")[0]
    own = [] if device is None else ["--cert", device.certificate, "--key", device.key]
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--path-as-is", "--max-time", "30", "--cacert", root_ca, *own]
        + ["--connect-to", f"{host}:{port}:127.0.0.1:{port}", *options, url],
        capture_output=True,
        text=True,
        timeout=60,
    )
