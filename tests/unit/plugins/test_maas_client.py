from __future__ import annotations

import json
import re
import stat

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.maas import client as client_module
from ansible_collections.stratus.cloud.plugins.module_utils.maas import description
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import (
    ApiError,
    LostAnswer,
    MaasError,
    NotFound,
    Unreachable,
    WriteInCheckMode,
    explain,
    sentence,
)
from maas_fakes import DESCRIPTION, KEY, Time, Transport, client

from tests.support.processes import imports

LOST = Unreachable("cut off", sent=True)
REFUSED = Unreachable("refused", sent=False)


def test_every_request_goes_to_the_configured_host_and_is_signed():
    region = client((200, [{"name": "default"}]))
    assert region.read("Zones") == [{"name": "default"}]
    _method, uri, _body, headers = region.transport.seen[1]
    assert uri == "http://region:5240/MAAS/api/2.0/zones/"
    assert headers["Authorization"].startswith("OAuth ")
    assert 'oauth_signature="%26secret"' in headers["Authorization"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://10.0.0.1:5240/MAAS", ("http://10.0.0.1:5240", "/MAAS/api/2.0/")),
        ("http://10.0.0.1:5240/MAAS/", ("http://10.0.0.1:5240", "/MAAS/api/2.0/")),
        ("https://maas.example.com/MAAS/api/2.0/", ("https://maas.example.com", "/MAAS/api/2.0/")),
        ("10.0.0.1:5240", ("http://10.0.0.1:5240", "/MAAS/api/2.0/")),
        ("http://user@host/r/MAAS", ("http://host", "/r/MAAS/api/2.0/")),
    ],
)
def test_addresses_of_all_spellings(given, expected):
    assert client_module.normal_url(given) == expected


@pytest.mark.parametrize("given", ["", "ftp://host/MAAS", "http://"])
def test_no_address(given):
    with pytest.raises(MaasError, match="maas_url"):
        client_module.normal_url(given)


def test_forms():
    assert client_module.form({"a": True, "b": None, "c": [1, False], "d": 1.5}) == {"a": "true", "b": "", "c": ["1", "false"], "d": "1.5"}


def test_malformed_key_is_told_without_the_key():
    with pytest.raises(MaasError, match="three parts") as caught:
        client_module.Client("http://region", "one:two", transport=Transport())
    assert "one:two" not in str(caught.value)


def test_check_mode_lets_no_write_out():
    region = client(read_only=True)
    with pytest.raises(WriteInCheckMode):
        region.call("Zones", "create", data={"name": "x"})
    assert [method for method, *rest in region.transport.seen] == ["GET"]


def test_safe_calls_are_repeated_until_an_answer_comes():
    region = client(LOST, (504, "Gateway Timeout"), REFUSED, (200, []))
    assert region.read("Zones") == []
    assert len(region.time.slept) == 3


def test_repeating_ends():
    region = client(*[LOST] * 50)
    with pytest.raises(Unreachable, match=r"Cannot read Zones: cut off \(after \d+ tries\)"):
        region.read("Zones")
    assert region.time.now - 1000 <= 75


@pytest.mark.parametrize("status", [409, 503])
def test_retry_after_is_honoured_on_any_method(status):
    region = client((status, "busy", {"Retry-After": "10"}), (200, {"name": "x"}))
    assert region.call("Zones", "create", data={"name": "x"}) == {"name": "x"}
    assert 10 <= region.time.slept[0] <= 11


def test_retry_after_without_end_fails_with_the_last_words():
    region = client(*[(503, "Unable to connect to any rack controller", {"Retry-After": "10"})] * 20)
    with pytest.raises(ApiError, match="Unable to connect to any rack controller.*still so after"):
        region.read("Zones")


@pytest.mark.parametrize(
    ("status", "kind"), [(400, ApiError), (401, ApiError), (403, ApiError), (404, NotFound), (409, ApiError), (500, ApiError), (503, ApiError)]
)
def test_the_rest_fails_at_once(status, kind):
    region = client((status, "no"))
    with pytest.raises(kind) as caught:
        region.read("Zones")
    assert caught.value.status == status
    assert region.time.slept == []


# What HAProxy says while none of its servers is up.
NO_SERVER = (503, "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n")


def test_a_proxy_that_finds_no_region_up_is_asked_again():
    region = client(NO_SERVER, NO_SERVER, (200, []))
    assert region.read("Zones") == []
    assert len(region.time.slept) == 2
    region = client(*[NO_SERVER] * 50)
    with pytest.raises(Unreachable, match=r"Cannot read Zones: the gateway before http://region:5240 answers 503 \(after \d+ tries\)"):
        region.read("Zones")
    assert 40 <= region.time.now - 1000 <= 75


def test_a_create_that_a_proxy_answered_is_looked_up_before_it_is_sent_again():
    with pytest.raises(LostAnswer):
        client(NO_SERVER).call("Zones", "create")
    region = client(NO_SERVER, (200, {"id": 8}))
    assert region.call("Zones", "create", data={"name": "x"}, settled=lambda: None) == {"id": 8}


def test_the_regions_own_503_is_told_at_once():
    for words in ("No BMC is defined.  Cannot power control node.", "Unable to communicate with LXD."):
        region = client((503, words))
        with pytest.raises(ApiError, match=re.escape(" ".join(words.split()).rstrip("."))):
            region.read("Zones")
        assert region.time.slept == []


def test_a_refused_write_was_not_sent_and_is_repeated():
    region = client(REFUSED, (200, {"name": "x"}))
    assert region.call("Zones", "create", data={"name": "x"}) == {"name": "x"}


def test_a_lost_create_is_looked_up_not_made_twice():
    region = client(LOST)
    assert region.call("Zones", "create", data={"name": "x"}, settled=lambda: {"name": "x", "id": 7}) == {"name": "x", "id": 7}
    assert sum(method == "POST" for method, *rest in region.transport.seen) == 1


@pytest.mark.parametrize("times", [1, 2, 4])
def test_a_lost_create_that_did_nothing_is_sent_again(times):
    region = client(*[LOST] * times, (200, {"id": 8}))
    assert region.call("Zones", "create", data={"name": "x"}, settled=lambda: None) == {"id": 8}
    assert region.time.now - 1000 < 10


def test_lost_for_good_or_without_look_up_is_told():
    with pytest.raises(LostAnswer, match="Cannot tell whether"):
        client(LOST).call("Zones", "create")
    region = client(*[LOST] * 50)
    with pytest.raises(LostAnswer):
        region.call("Zones", "create", settled=lambda: None)
    assert 40 <= region.time.now - 1000 <= 75


def test_a_delete_that_was_lost_and_is_gone_is_done():
    assert client(LOST, (404, "No Zone matches")).call("Zone", "delete", {"name": "x"}) is None


def test_each_attempt_has_its_own_nonce():
    region = client(LOST, (200, []))
    region.read("Zones")
    assert region.transport.seen[1][3]["Authorization"] != region.transport.seen[2][3]["Authorization"]


def test_the_expected_secret_of_a_401_is_never_told():
    region = client((401, "Authorization Error: 'Invalid signature. Expected signature base string: &TOPSECRET'"))
    with pytest.raises(ApiError) as caught:
        region.read("Zones")
    assert "TOPSECRET" not in str(caught.value) + json.dumps(caught.value.result) + str(caught.value.body)
    assert "does not accept the API key" in str(caught.value)


def test_clock_difference_is_told():
    assert "clocks" in explain(401, "Authorization Error: 'Expired timestamp: given 1 and now 2 has a greater difference than threshold 300'", "read")


def test_an_upgraded_region_is_noticed():
    region = client((200, []), (200, []))
    region.read("Zones")
    region.transport.hash = "h2"
    region._fresh = False
    region.read("Zones")
    assert region._hash == "h2"
    assert [path for _method, path, query in region.transport.calls()].count("/describe/") == 2


def test_an_operation_that_the_region_lacks():
    with pytest.raises(MaasError, match=r"no Zones\.teleport"):
        client().call("Zones", "teleport")


def test_no_region_there():
    class Web(Transport):
        def request(self, *args):
            return 404, {"content-type": "text/html"}, b"<html>"

    region = client_module.Client("http://web", KEY, transport=Web(), cache=type("C", (), {"load": lambda self: None})())
    with pytest.raises(MaasError, match="is no MAAS region"):
        region.read("Zones")


# The description on disk


def test_cache_is_private_and_small(tmp_path):
    cache = description.Cache("http://region/", str(tmp_path / "c"))
    cache.store(description.strip(DESCRIPTION))
    assert stat.S_IMODE((tmp_path / "c").stat().st_mode) == 0o700
    file = next((tmp_path / "c").iterdir())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "prose" not in file.read_text()
    assert cache.load()["hash"] == "h1"


def test_cache_of_another_region_is_not_ours(tmp_path):
    description.Cache("http://one/", str(tmp_path / "c")).store(description.strip(DESCRIPTION))
    assert description.Cache("http://two/", str(tmp_path / "c")).load() is None


@pytest.mark.parametrize("spoil", ["directory", "file", "link", "text"])
def test_cache_that_others_could_write_is_not_trusted(tmp_path, spoil):
    cache = description.Cache("http://region/", str(tmp_path / "c"))
    cache.store(description.strip(DESCRIPTION))
    file = next((tmp_path / "c").iterdir())
    if spoil == "directory":
        (tmp_path / "c").chmod(0o777)
    elif spoil == "file":
        file.chmod(0o644)
    elif spoil == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    else:
        file.write_text("{")
    assert cache.load() is None


def test_cached_description_saves_the_request(tmp_path):
    cache = description.Cache("http://region:5240/MAAS/api/2.0/", str(tmp_path / "c"))
    client((200, []), cache=cache).read("Zones")
    second = client((200, []), cache=cache)
    second.read("Zones")
    assert [path for _method, path, query in second.transport.calls()] == ["/zones/"]


def test_libmaas_comes_without_the_heavy_libraries_of_its_own_transport():
    statement = "from ansible_collections.stratus.cloud.plugins.module_utils.maas.client import load_bones; load_bones()"
    assert imports(statement, "aiohttp", "macaroonbakery", "requests") == []


# Words


def test_form_errors_become_a_sentence():
    body = {"hostname": ["Node with this Hostname already exists."], "__all__": ["No."]}
    assert sentence(body) == "hostname: Node with this Hostname already exists.; No."
    assert explain(400, body, "declare machine x").startswith("Cannot declare machine x: hostname: Node")


def test_html_is_not_shown():
    assert sentence("<html><head><title>Conflict error</title></head><body>long</body></html>") == "Conflict error"


def test_empty_403_says_what_it_may_be():
    assert "locked" in explain(403, "", "release machine x")


def test_chunks_keep_urls_short():
    batches = list(client_module.chunks([f"{n:06d}" for n in range(1001)], 500, lambda item: len(item) + 4))
    assert [len(batch) for batch in batches] == [500, 500, 1]
    assert all(len(batch) <= 100 for batch in client_module.chunks(["x" * 50] * 300, 500, lambda item: 80))


def test_time_is_bounded_while_waiting_for_a_region():
    time = Time()
    region = client(*[REFUSED] * 3, time=time, retry_for=0)
    with pytest.raises(Unreachable):
        region.read("Zones")
    assert time.slept == []
