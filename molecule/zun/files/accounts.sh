#!/bin/bash
# What the role may have left in the cloud, asked of Keystone, the database and the message queue; nothing printed means nothing left.
set -euo pipefail
seen() { grep -E "$1" || true; }
/opt/client/bin/openstack service list -f value | seen container
/opt/client/bin/openstack endpoint list -f value | seen 9517
/opt/client/bin/openstack user list --domain service_domain -f value -c Name | seen '^(zun|kuryr)$'
sudo mariadb -N -e "show databases like 'zun'; select user from mysql.user where user = 'zun'"
sudo rabbitmqctl --quiet --node rabbit@localhost list_users | seen '^zun'
sudo rabbitmqctl --quiet --node rabbit@localhost list_vhosts | seen '^zun'
