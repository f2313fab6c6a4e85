"""ML2 mechanism driver of the lab: every port can be bound on every host, and no agent is needed to make it ACTIVE.

It goes into the tree as the module ``neutron_lab``, with an entry point named ``lab``.
"""

import eventlet
from neutron_lib import constants
from neutron_lib import context as neutron_context
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api
from oslo_log import log

LOG = log.getLogger(__name__)
DETAILS = {"port_filter": True, "connectivity": "l2", "bridge_name": "br-int"}


class LabMechanism(api.MechanismDriver):
    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def initialize(self):
        pass

    def bind_port(self, context):
        segment = next(iter(context.segments_to_bind), None)
        if segment:
            context.set_binding(segment[api.ID], portbindings.VIF_TYPE_OVS, dict(DETAILS), status=constants.PORT_STATUS_ACTIVE)

    def update_port_postcommit(self, context):
        # When a live migration's binding becomes the active one, the port is DOWN until an agent of the new host reports it.
        bound = context.vif_type == portbindings.VIF_TYPE_OVS
        if bound and context.status == constants.PORT_STATUS_DOWN:
            # Outside of the request that is still at it.
            eventlet.spawn_after(0.2, self._report, context._plugin, context.current["id"], context.host)

    def _report(self, plugin, port, host):
        try:
            plugin.update_port_status(neutron_context.get_admin_context(), port, constants.PORT_STATUS_ACTIVE, host)
        except Exception:
            LOG.exception("port %s on %s was not set ACTIVE", port, host)
