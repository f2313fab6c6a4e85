"""What ipmi_sim runs to read or set chassis power: arguments are the control socket, the machine, then the simulator's own words."""

import json
import socket
import sys


def ask(path, machine, state=None):
    """The machine's power as the world has it; with ``state``, set it first."""
    body = json.dumps({"state": state}) if state else ""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(path)
    method = "POST" if state else "GET"
    connection.sendall(
        f"{method} /bmc/{machine}/power HTTP/1.0\r\nHost: lab\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return json.loads(answer.partition(b"\r\n\r\n")[2])["power"]


def main(path, machine, operation, *words):
    if operation == "get":
        for word in words:
            # Only power is shared with the world: its machines boot from the network whatever they are told, so "pxe" is what they answer.
            print(f"{word}:{'pxe' if word == 'boot' else int(ask(path, machine) == 'on') if word == 'power' else 0}")
    elif operation == "set":
        settings = dict(zip(words[::2], words[1::2], strict=False))
        if "power" in settings:
            ask(path, machine, "on" if settings["power"] == "1" else "off")
        elif settings.get("reset") == "1" or "reset" in settings:
            ask(path, machine, "off")
            ask(path, machine, "on")
        elif "shutdown" in settings:
            ask(path, machine, "off")
    elif operation == "check":
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
