"""A slow link for a measurement: a network namespace whose loopback is shaped to a rate."""
import os
import re
import subprocess

PREFIX = "pipedream_bench_"


def run(*command):
    subprocess.run(command, check=True)


def why_impossible():
    """None where links can be shaped, else the reason."""
    if os.geteuid() != 0:
        return "shaping a link needs root"
    for command in (["ip", "-V"], ["tc", "-V"]):
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return f"shaping a link needs {command[0]} (package iproute2)"
    try:
        with ShapedLoopback("1gbit"):
            return None
    except subprocess.CalledProcessError as error:
        return f"this machine does not let a namespace be made: {error}"


def remove_leftovers():
    """Namespaces of benchmarks that were killed."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    for name, process in re.findall(rf"^({PREFIX}(\d+))", listed, re.MULTILINE):
        if not os.path.exists(f"/proc/{process}"):
            run("ip", "netns", "del", name)


class ShapedLoopback:
    """All workers inside, and both directions between them, share the rate; MPI is told to use TCP over it."""

    def __init__(self, rate):
        self.rate = rate
        self.name = f"{PREFIX}{os.getpid()}"

    def __enter__(self):
        remove_leftovers()
        run("ip", "netns", "add", self.name)
        try:
            run("ip", "-n", self.name, "link", "set", "lo", "mtu", "1500", "up")
            run("ip", "netns", "exec", self.name, "tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", self.rate,
                "burst", "256kb", "latency", "200ms")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        run("ip", "netns", "del", self.name)

    def command(self, command):
        return ["ip", "netns", "exec", self.name, *command]

    def environment(self):
        return {"OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "tcp,self", "OMPI_MCA_btl_tcp_if_include": "lo",
                "OMPI_MCA_oob_tcp_if_include": "lo"}
