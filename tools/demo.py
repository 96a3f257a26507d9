"""`./dev demo`: the main job, for real, before the user's eyes: two hosts, every kind of end, and a server that is killed."""

from __future__ import annotations

import time

from world import Host, World, until

from tools.stage import Failed, admin, heading, log_in, say, stage

AHEAD = 8
"""Seconds from asking to the opening of the window; the server is killed in between."""


def main() -> None:
    began = time.monotonic()
    heading("A throw-away fleet: APT repository, server, two hosts with package roots of their own")
    with stage() as world:
        web1, web2 = world.add_host("web1"), world.add_host("web2")
        say(f"server   {world.url} (REST), 127.0.0.1:{world.messaging_port} (AMQP 1.0 over TLS)")
        say(
            "hosts    web1, web2: each with a key, a certificate, an agent and its own dpkg database"
        )
        log_in(world)
        admin(world, "consumer", "list")
        install_and_update(world, web1)
        look_and_fail(world, web2)
        window_while_the_server_is_down(world, web2)
        remove(world, web1)
        heading("What was asked for, and what really happened")
        admin(world, "task", "list")
        admin(world, "consumer", "history", "web1")
        admin(world, "consumer", "history", "web2")
    heading(f"Done in {time.monotonic() - began:.0f} s; all of it has been stopped and removed")
    say("Go on:  ./dev serve   leaves such a fleet running and tells you what to paste")
    say("        README.md and docs/operations.md: a server and agents on real hosts")
    say("        ./dev test    the tests")


def install_and_update(world: World, host: Host) -> None:
    heading("Install: an old version, its library, and a package that takes its time")
    admin(world, "consumer", "install", host.id, "demo=1.0", "demolib=1.0", "demoslow")
    dpkg_says(host, demo="1.0", demolib="1.0", demoslow="1.0")
    heading("Update")
    admin(world, "consumer", "update", host.id, "demo", "demolib")
    dpkg_says(host, demo="1.1", demolib="2.0")


def look_and_fail(world: World, host: Host) -> None:
    heading("Dry run: what would change, dependencies too")
    admin(world, "consumer", "install", host.id, "demosuite", "--dry-run")
    dpkg_says(host)
    heading("A package whose installation fails: the truth, and nothing else, goes into history")
    admin(world, "consumer", "install", host.id, "demofail", ends_with=1)
    admin(world, "consumer", "remove", host.id, "demofail")
    admin(world, "consumer", "install", host.id, "no-such-package", ends_with=1)


def window_while_the_server_is_down(world: World, host: Host) -> None:
    heading(f"A maintenance window that opens in {AHEAD} s; the agent keeps it by itself")
    window = f"in {AHEAD}s/5m"
    admin(world, "consumer", "install", host.id, "demo", "--window", window, "--no-wait")
    task = world.get("/tasks", consumer=host.id, limit=1)["items"][0]
    world.wait(task, "held", timeout=AHEAD)
    admin(world, "task", "show", task["id"])
    say(f"\n  kill -9 {world.server.pid}    # the server dies here, before the window opens")
    world.server.kill()
    if "demo" in host.installed():
        raise Failed("the agent did not wait for its window")
    say("  ... no server; the window opens ...")
    version = until(lambda: host.installed().get("demo"), f"{host.id} to install demo")
    say(f"  dpkg on {host.id}: demo {version} is installed. The server is started again:")
    world.start_server()
    admin(world, "task", "wait", task["id"])
    say("\n  The other host's agent finds the server again, too:")
    for other in world.hosts.values():
        world.wait_online(other)
    admin(world, "consumer", "list")


def remove(world: World, host: Host) -> None:
    heading("Remove")
    admin(world, "consumer", "remove", host.id, "demo", "demolib")
    if {"demo", "demolib"} & host.installed().keys():
        raise Failed(f"dpkg on {host.id} still has {host.installed()}")


def dpkg_says(host: Host, **versions: str) -> None:
    found = host.installed()
    if not versions and found:
        raise Failed(f"dpkg on {host.id} has {found}, expected nothing")
    if versions and not versions.items() <= found.items():
        raise Failed(f"dpkg on {host.id} has {found}, expected {versions}")
    shown = ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
    say(f"  dpkg on {host.id}: {shown or 'nothing installed'}")


if __name__ == "__main__":
    main()
