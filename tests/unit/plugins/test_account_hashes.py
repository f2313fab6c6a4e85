"""What servers keep of passwords, against examples that others published."""

import base64

from ansible_collections.stratus.cloud.plugins.module_utils import account_hashes


def test_mysql_keeps_the_hash_of_a_hash():
    # MySQL's own manual: SELECT PASSWORD('mypass'), and the one that everybody knows.
    assert account_hashes.mysql_native("mypass") == "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4"
    assert account_hashes.mysql_native("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


def test_rabbitmq_keeps_a_salted_hash():
    # The example of RabbitMQ's documentation: test12 with the salt 908DC60A.
    assert account_hashes.rabbitmq("test12", bytes.fromhex("908DC60A")) == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"


def test_the_salt_is_another_one_each_time():
    one, other = account_hashes.rabbitmq("p"), account_hashes.rabbitmq("p")
    assert one != other and len(base64.b64decode(one)) == 36
