# SPDX-License-Identifier: Apache-2.0
"""A DeepStream tree: what `dsmsg install` puts into it, and how it comes out again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

from dsmsg._native_module import native
from dsmsg.doctor import CLIENT_LIBRARY, examine_library, is_ours

__all__ = ["Done", "Tree", "libraries"]

_BACKUP = "dsmsg-backup"
_NOTE = "installed.json"
_UNKNOWN = "and no note says what for (move it to where it belongs)"


@dataclass(frozen=True)
class Done:
    """What became of one file."""

    name: str
    state: str
    why: str = ""
    good: bool = True

    def to_json(self) -> dict[str, object]:
        """Returns its fields."""
        return asdict(self)


def libraries(folder: Path) -> list[Path]:
    """Returns our adaptors in a folder, and our client library.

    Raises:
        OSError: one cannot be read.
    """
    found = [path for path in sorted(folder.glob("libnvds_*_proto.so")) if is_ours(path)]
    client = folder / CLIENT_LIBRARY
    return [*found, client] if found and client.is_file() else found


class Tree:
    """The folder `lib` of a tree, with a folder of backups in it.

    The note in that folder says for each installed file what it was when installed and what was
    there before: nothing, or a file or symbolic link, which is in the folder.
    """

    def __init__(self, root: Path) -> None:
        """Takes the tree.

        Raises:
            ValueError: it is not a DeepStream tree.
        """
        self._lib = root / "lib"
        if not self._lib.is_dir():
            raise ValueError(f"{root} is not a DeepStream tree: it has no folder lib (--tree)")
        self._backup = self._lib / _BACKUP

    def prepare(self, files: list[Path]) -> None:
        """Checks, before anything is changed, that the files can be copied and suit the tree.

        Raises:
            OSError: the folder cannot be written to, or has no room.
            ValueError: the files are for another kind of machine than the tree.
        """
        try:
            with tempfile.TemporaryFile(dir=self._lib):
                pass
        except OSError as error:
            root = " (run it as root: sudo dsmsg install)" if os.geteuid() else ""
            raise OSError(f"cannot write to {self._lib}: {error.strerror}{root}") from None
        room, needed = shutil.disk_usage(self._lib).free, sum(each.stat().st_size for each in files)
        if room < needed:
            raise OSError(f"{self._lib} has {room >> 20} MB left, {(needed >> 20) + 1} are needed")
        machine = next(filter(None, map(_machine, sorted(self._lib.glob("*.so*")))), None)
        for file in files:
            if machine is not None and _machine(file) not in (None, machine):
                raise ValueError(
                    f"{file} is for {_machine(file)}, the libraries of {self._lib} are for "
                    f"{machine} (install dsmsg's build for {machine})"
                )

    def install(self, files: list[Path]) -> list[Done]:
        """Copies the files; what is there already stays in the backup, only once.

        An adaptor that does not load, because a library is missing, is not copied.

        Raises:
            OSError: something cannot be written; what was copied until then can be undone.
            ValueError: as `prepare`.
        """
        self.prepare(files)
        self._backup.mkdir(exist_ok=True)
        note = self._read()
        done = []
        for file in files:
            target = self._lib / file.name
            if file.name in note and _digest(target) == _digest(file):
                done.append(self._installed(file.name, "same"))
                continue
            try:
                examine_library(file)
            except OSError as error:
                done.append(Done(file.name, "left out", str(error), good=False))
                continue
            if file.name not in note:
                note[file.name] = {"kept": self._keep(target)}
            note[file.name]["digest"] = _digest(file)
            self._write(note)  # first: an interrupted copy can be undone
            _copy(file, target, self._backup)
            done.append(self._installed(file.name, "installed"))
        return done

    def _keep(self, target: Path) -> bool:
        """Gives what is there a second name in the backup, so that times, rights and owner stay.

        It may have that name from an installation that was killed before it wrote the note.
        """
        backup = self._backup / target.name
        if not os.path.lexists(backup):
            if not os.path.lexists(target):
                return False
            os.link(target, backup, follow_symlinks=False)
        elif not _same_file(backup, target):
            raise OSError(f"{backup} is there, {_UNKNOWN}")
        return True

    def _installed(self, name: str, state: str) -> Done:
        """Looks at what is in the tree now, as a host would."""
        try:
            return Done(name, state, examine_library(self._lib / name))
        except OSError as error:
            return Done(name, "broken", str(error), good=False)

    def check(self, files: list[Path]) -> list[Done]:
        """Compares the tree with the files."""
        note = self._read()
        done = []
        for file in files:
            there = _digest(self._lib / file.name)
            if there is None:
                done.append(Done(file.name, "missing", good=False))
            elif there == _digest(file):
                done.append(Done(file.name, "installed"))
            elif file.name not in note:
                done.append(Done(file.name, "other", "not installed by dsmsg", good=False))
            elif there == note[file.name]["digest"]:
                done.append(Done(file.name, "old", "another build of dsmsg", good=False))
            else:
                done.append(Done(file.name, "changed", "since it was installed", good=False))
        return done

    def undo(self) -> list[Done]:
        """Puts back what was there; a file that others have changed since stays.

        Raises:
            OSError: something cannot be written.
        """
        note = self._read()
        done = []
        for name in list(note):
            target, backup = self._lib / name, self._backup / name
            untouched = _same_file(backup, target)  # killed before it copied
            if not untouched and _digest(target) not in (None, note[name]["digest"]):
                kept = f"; the old one is {backup}" if note[name]["kept"] else ""
                done.append(Done(name, "left", f"changed since it was installed{kept}", good=False))
                continue
            if untouched:
                backup.unlink()
            elif note[name]["kept"]:
                backup.replace(target)
            else:
                target.unlink(missing_ok=True)
            done.append(Done(name, "restored" if note[name]["kept"] else "removed"))
            del note[name]
            self._write(note)
        if not note and self._backup.is_dir():
            done += self._clear()
        return done

    def _clear(self) -> list[Done]:
        """Removes the folder of backups, with what a killed installation has left there."""
        left = []
        for path in sorted(self._backup.iterdir()):
            ours = path.name == _NOTE or path.name.startswith(".")
            if ours or _same_file(path, self._lib / path.name):
                path.unlink()
            else:
                left.append(Done(path.name, "left", f"{path} is there, {_UNKNOWN}", good=False))
        if not left:
            self._backup.rmdir()
        return left

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            note: dict[str, dict[str, Any]] = json.loads((self._backup / _NOTE).read_text("utf-8"))
            return note
        except FileNotFoundError:
            return {}

    def _write(self, note: dict[str, dict[str, Any]]) -> None:
        temporary = self._backup / f".{_NOTE}"
        temporary.write_text(json.dumps(note, indent=2), encoding="utf-8")
        temporary.replace(self._backup / _NOTE)


def _machine(path: Path) -> Optional[str]:
    """The kind of machine that a library is for; None if it is not a library."""
    module = native()
    return module and (module.machine_of_library(str(path)) or None)


def _digest(path: Path) -> Optional[str]:
    """Of a file's content; None if the file does not exist."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _same_file(one: Path, other: Path) -> bool:
    """Whether both are names of one file, or of one symbolic link."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except FileNotFoundError:
        return False


def _copy(source: Path, target: Path, folder: Path) -> None:
    """Copies content, times and rights to a new file in `folder`, then renames it.

    A process that has the old file open keeps it.
    """
    temporary = folder / f".{target.name}"
    try:
        shutil.copy2(source, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
