# SPDX-License-Identifier: Apache-2.0
"""The kinds of packages: where each wants headers, sources, model and example."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of package; its other files are templates in the folder of its name.

    Attributes
    ----------
    name : str
        As ``--for`` takes it.
    headers, sources : str
        Folders of the core's headers and C files; the web package has none.
    model_headers, model_sources : str
        Folders of what was written for the bundle.
    example : str
        Folder of the example in C; phones and the web have none, and no prefix.
    sketch : str
        The example's Arduino sketch, for those that compile one.
    sets_flags : bool
        Whether the package can say how it is compiled; where it cannot, each C file says so itself.
    wrappers : tuple of (str, str)
        For phones: what matches below `mobile/`, and the folder that gets it.
    """

    name: str
    headers: str = ""
    sources: str = ""
    model_headers: str = ""
    model_sources: str = ""
    example: str = ""
    sketch: str = ""
    sets_flags: bool = True
    wrappers: tuple[tuple[str, str], ...] = ()


_JNI = "mmq/src/main/cpp"
KINDS = {
    kind.name: kind
    for kind in (
        Kind("cmake", "include", "src", "model", "model", "example"),
        Kind(
            "arduino",
            "src",
            "src/core",
            "src",
            "src",
            "examples/FakeSensor",
            sketch="FakeSensor.ino",
            sets_flags=False,
        ),
        Kind(
            "platformio",
            "include",
            "src/core",
            "include",
            "src/model",
            "examples/fake_sensor/src",
            sketch="main.cpp",
        ),
        Kind("zephyr", "include", "src", "model", "model", "samples/fake_sensor/src"),
        Kind("esp-idf", "include", "src", "model", "model", "examples/fake_sensor/main"),
        Kind("cmsis-pack", "include", "src", "model", "model", "example", sets_flags=False),
        Kind(
            "android",
            f"{_JNI}/mmq_bridge/include",
            f"{_JNI}/mmq_bridge/src",
            f"{_JNI}/mmq_bridge",
            f"{_JNI}/mmq_bridge",
            wrappers=(
                ("android/CMakeLists.txt", f"{_JNI}/android"),
                ("android/*.c", f"{_JNI}/android"),
                ("android/mmq/*.java", "mmq/src/main/java/mmq"),
                ("android/mmq/*.kt", "mmq/src/main/kotlin/mmq"),
            ),
        ),
        Kind(
            "swift",
            "Sources/CMmq/include",
            "Sources/CMmq/src",
            "Sources/CMmq/model",
            "Sources/CMmq/model",
            sets_flags=False,
            wrappers=(("ios/*.swift", "Sources/Mmq"),),
        ),
        Kind("web"),
    )
}
