"""Nova's driver on the lab's compute hosts: servers that exist in the database only.

It goes into the tree as ``nova.virt.lab`` and builds on nova's own in-memory driver, which is made for a test process that never restarts and
whose servers hardly move. What this one adds: servers are known again after nova-compute restarted, a migrated server leaves its source, so
that it may come back, and migrations behave as the server's metadata asks:

    lm_seconds=N       a live migration takes N seconds, and can be aborted or forced to its end meanwhile
    lm_result=fail     it fails at its end
    lm_precheck=fail   it is refused before it begins

``/etc/nova/machine.json`` (vcpus, memory_mb, local_gb) says how big the machine is, when it is not the usual size.
"""

import json
import pathlib
import threading

from nova import context as nova_context
from nova import exception, objects
from nova.compute import power_state
from nova.virt import fake

MACHINE = pathlib.Path("/etc/nova/machine.json")
GONE = ("deleted", "soft-delete", "error", "building", "shelved_offloaded")


class LabDriver(fake.MediumFakeDriver):
    def __init__(self, virtapi, read_only=False):
        try:
            size = json.loads(MACHINE.read_text())
        except FileNotFoundError:
            size = {}
        for name in ("vcpus", "memory_mb", "local_gb"):
            setattr(self, name, int(size.get(name, getattr(self, name))))
        super().__init__(virtapi, read_only)
        self._orders = {}

    def init_host(self, host):
        super().init_host(host)
        known = objects.InstanceList.get_by_host(nova_context.get_admin_context(), host, expected_attrs=["flavor"])
        for server in known:
            if server.vm_state not in GONE and server.uuid not in self.instances:
                self._adopt(server, power_state.RUNNING if server.power_state is None else server.power_state)

    def _adopt(self, server, state):
        flavor = server.flavor
        self.resources.claim(vcpus=flavor.vcpus, mem=flavor.memory_mb, disk=flavor.root_gb)
        self.instances[server.uuid] = fake.FakeInstance(server.name, state, server.uuid)

    # -- live migration -----------------------------------------------------------------------------------------------
    def check_can_live_migrate_source(self, context, instance, dest_check_data, block_device_info=None):
        if instance.metadata.get("lm_precheck") == "fail":
            raise exception.MigrationPreCheckError(reason="the server's metadata lm_precheck asks for it")
        return super().check_can_live_migrate_source(context, instance, dest_check_data, block_device_info)

    def live_migration(self, context, instance, dest, post_method, recover_method, block_migration=False, migrate_data=None):
        order = self._orders[instance.uuid] = {"came": threading.Event(), "what": None}
        try:
            order["came"].wait(float(instance.metadata.get("lm_seconds", 0.2)))
        finally:
            self._orders.pop(instance.uuid, None)
        if order["what"] == "abort":
            recover_method(context, instance, dest, migrate_data, migration_status="cancelled")
        elif instance.metadata.get("lm_result") == "fail":
            recover_method(context, instance, dest, migrate_data)
        else:
            post_method(context, instance, dest, block_migration, migrate_data)

    def _order(self, instance, what):
        order = self._orders.get(instance.uuid)
        if order:
            order["what"] = what
            order["came"].set()

    def live_migration_abort(self, instance):
        self._order(instance, "abort")

    def live_migration_force_complete(self, instance):
        self._order(instance, "complete")

    def post_live_migration(self, context, instance, block_device_info, migrate_data=None):
        if instance.uuid in self.instances:
            self.destroy(context, instance, None, block_device_info)

    def post_live_migration_at_destination(self, context, instance, network_info, block_migration=False, block_device_info=None):
        if instance.uuid not in self.instances:
            self._adopt(instance, power_state.RUNNING)
