#!/usr/bin/env python3
"""Makes a Python that can run the peer, torch.distributed.pipelining, from the LibTorch that the library is built with.

  peer_environment.py --torch .deps/libtorch --into .deps/peer [--requirements bench/peer_requirements.txt]

The LibTorch wheel is a Python package too. It lacks its small Python dependencies, which pip unpacks into
INTO/packages, pinned by hash; and it is linked against CUDA libraries (2.7 GB) that a run on the CPU loads and never
calls: for each of them an empty stand-in with the same name and symbols is compiled into INTO/lib. Their functions
trap. INTO/environment.json names the two variables that such a Python needs.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

# Libraries whose symbols carry no version, by the beginning of the symbols' names.
UNVERSIONED = {"nccl": "libnccl.so.2", "cusparseLt": "libcusparseLt.so.0", "cuFile": "libcufile.so.0",
               "nvshmem": "libnvshmem_host.so.3", "curand": "libcurand.so.10"}

# Opened by the first call that needs them, on a GPU.
LOADED_LATER = ("libtorch_cuda_linalg.so", "libcaffe2_nvrtc.so")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed(library):
    return re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-d", str(library)))


def missing_libraries(libraries, torch):
    """Names that a loaded library asks for and that neither the wheel nor the system has."""
    present = {path.name for path in torch.rglob("*.so*")}
    # An installed CUDA toolkit would do too; without it the peer runs the same on every machine.
    for name, path in re.findall(r"^\s*(\S+\.so\S*) .* => (\S+)", output("/sbin/ldconfig", "-p"), re.MULTILINE):
        if "/cuda" not in path:
            present.add(name)
    return {name for library in libraries for name in needed(library)} - present


def version_owners(library):
    """version name -> library that must define it"""
    owners = {}
    owner = None
    for kind, name in re.findall(r"(File|Name): (\S+)", output("readelf", "-V", str(library))):
        if kind == "File":
            owner = name
        else:
            owners[name] = owner
    return owners


def wanted_symbols(libraries, missing):
    """missing library -> {(symbol, version or '')}"""
    wanted = collections.defaultdict(set)
    for library in libraries:
        owners = version_owners(library)
        for line in output("nm", "-D", "--undefined-only", str(library)).splitlines():
            symbol, _, version = line.split()[-1].partition("@")
            owner = owners.get(version) if version else next(
                (name for start, name in UNVERSIONED.items() if symbol.startswith(start)), None)
            if owner in missing:
                wanted[owner].add((symbol, version))
    return wanted


def compile_stand_in(name, symbols, folder):
    source = "".join(f"void {symbol}(void) {{ __builtin_trap(); }}\n" for symbol, _ in sorted(symbols))
    versions = collections.defaultdict(list)
    for symbol, version in sorted(symbols):
        versions[version].append(symbol)
    command = ["gcc", "-w", "-fno-builtin", "-shared", "-fPIC", "-x", "c", "-", f"-Wl,-soname,{name}",
               "-o", str(folder / name)]
    script = "".join(f"{version} {{ global: {'; '.join(members)}; }};\n"
                     for version, members in versions.items() if version)
    if script:
        script_path = folder / f"{name}.map"
        script_path.write_text(script)
        command.append(f"-Wl,--version-script={script_path}")
    subprocess.run(command, input=source, text=True, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", type=pathlib.Path, required=True, help="folder of the unpacked wheel")
    parser.add_argument("--into", type=pathlib.Path, required=True)
    parser.add_argument("--requirements", type=pathlib.Path,
                        default=pathlib.Path(__file__).with_name("peer_requirements.txt"))
    arguments = parser.parse_args()
    torch = arguments.torch.resolve()
    into = arguments.into.resolve()
    if sys.version_info[:2] != (3, 11):
        sys.exit(f"the wheel is for Python 3.11; this is {sys.version.split()[0]}")

    stamp = arguments.requirements.read_text()
    done = into / "done"
    if not done.exists() or done.read_text() != stamp:
        shutil.rmtree(into, ignore_errors=True)
        (into / "lib").mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "--require-hashes", "--only-binary=:all:", "--target", str(into / "packages"),
                        "--requirement", str(arguments.requirements)], check=True, stdout=sys.stderr)
        libraries = sorted(path for path in (torch / "torch/lib").glob("*.so") if path.name not in LOADED_LATER)
        missing = missing_libraries(libraries, torch)
        symbols = wanted_symbols(libraries, missing)
        for name in sorted(missing):
            compile_stand_in(name, symbols[name], into / "lib")
        done.write_text(stamp)
    environment = {"PYTHONPATH": f"{into / 'packages'}:{torch}", "LD_LIBRARY_PATH": str(into / "lib")}
    (into / "environment.json").write_text(json.dumps(environment) + "\n")


if __name__ == "__main__":
    main()
