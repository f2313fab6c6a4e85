"""Answers every request with the address that it came from."""

from http.server import BaseHTTPRequestHandler, HTTPServer


class Peer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())


HTTPServer(("", 8000), Peer).serve_forever()
