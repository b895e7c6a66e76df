"""Puts the part of libtorch that training on the processor needs into a folder: `python3 libtorch.py FOLDER`.

The wheels of PyTorch are the one place from which a package client brings libtorch. Their graphics parts, most of
their size, are left out; two CUDA libraries are there because libtorch_cpu is linked with them.
"""

import pathlib
import subprocess
import sys
import tempfile
import zipfile

# The version that the `tch` of Cargo.toml wants, and what that wheel itself asks for.
WHEELS = ["torch==2.13.0", "nvidia-cuda-cupti==13.0.85", "nvidia-cuda-runtime==13.0.96"]
LIBRARIES = ("libtorch_cpu.so", "libc10.so", "libgomp", "libcupti.so.", "libcudart.so.")


def unpack(wheel, folder):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            file = name.rsplit("/", 1)[-1]
            if file.startswith(LIBRARIES):
                target = folder / "lib" / file
            elif name.startswith("torch/include/") and file:
                target = folder / name.removeprefix("torch/")
            else:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))


def main(folder):
    # Made last, so that it is there only if all is.
    whole = folder / "lib" / "libtorch.so"
    if whole.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    print(f"installing libtorch in {folder}: about 540 MB to download", flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as wheels:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*pip, "--dest", wheels, *WHEELS], check=True)
        for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
            unpack(wheel, folder)
    # The wheel's own needs the graphics parts; the linker wants one of this name.
    subprocess.run(["cc", "-shared", "-x", "c", "/dev/null", "-o", str(whole)], check=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
