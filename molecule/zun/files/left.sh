#!/bin/bash
# What the role may have left on a host; nothing printed means nothing left.
systemctl --no-pager list-unit-files --no-legend 'zun-*' 'kuryr-*' 'stratus-zun-*' docker.service
ls -d /opt/zun /etc/zun /etc/kuryr /var/lib/zun /etc/stratus/zun-* /etc/nova/nova.conf.d/* /usr/lib/docker/plugins /etc/apt/preferences.d/stratus-* \
    /etc/systemd/system/docker.service.d/* 2>/dev/null
getent passwd zun
nft list tables | grep zun
ss --no-header --listening --tcp 'sport = :2375 or sport = :9517 or sport = :6784 or sport = :23750'
exit 0
