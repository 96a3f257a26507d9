"""`./dev serve`: the demo's fleet, left running until Ctrl-C, with commands to paste."""

from __future__ import annotations

import threading

from world import BIN, World, WorldError

from tools.stage import heading, log_in, say, stage


def main() -> None:
    heading("A throw-away fleet: APT repository, server, two hosts with package roots of their own")
    with stage() as world:
        for id_ in ("web1", "web2"):
            world.add_host(id_)
        log_in(world)
        explain(world)
        watch(world)


def explain(world: World) -> None:
    heading("It runs until Ctrl-C. Paste into another terminal:")
    say(f"""
  export PULP_ADMIN_CONFIG={world.env["PULP_ADMIN_CONFIG"]}
  alias pulp-admin={BIN / "pulp-admin"}

  pulp-admin consumer list
  pulp-admin consumer install web1 demo=1.0 demoslow
  pulp-admin consumer update-all web1
  pulp-admin consumer install web2 demosuite --dry-run
  pulp-admin consumer install web2 demo --window 'in 1m/10m' --no-wait
  pulp-admin consumer reboot web2         only its agent is restarted: your machine is left alone
  pulp-admin task list
  pulp-admin consumer history web1

  REST      {world.url}/api/v1/status   (CA: {world.ca})
  admin     login admin, password {world.password}
  packages  demo demolib democonf demobroken democonflict demofail demoslow demofat (test/debrepo.py)
  logs      {world.path}/logs
  hosts     {world.path}/hosts/web1/root ...""")


def watch(world: World) -> None:
    """Until Ctrl-C, or until something dies that should live. A host that was restarted is back a moment later."""
    never = threading.Event()
    restarts = dict.fromkeys(world.hosts, 0)
    while not never.wait(1.0):
        for host in world.hosts.values():
            if not host.agent.running and host.power.restarts > restarts[host.id]:
                restarts[host.id] = host.power.restarts
                host.agent.start()
        for program in (world.server, *(host.agent for host in world.hosts.values())):
            if not program.running:
                raise WorldError(f"{program.argv} has ended\n{program.tail()}")


if __name__ == "__main__":
    main()
