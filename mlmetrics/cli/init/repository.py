"""Where a project's files can be read in a browser, from what git has written down; git itself is not run."""

import re
from configparser import ConfigParser, Error
from pathlib import Path
from urllib.parse import quote, urlsplit

_USUAL_BRANCHES = ("main", "master")
_SHORT = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/@]+):(?P<path>(?!//)[^\\]+)")
# How a host names a file: by a word in the name of the host.
_FORMS = (
    (("github",), "https://{host}/{path}/blob/{branch}/"),
    (("gitlab",), "https://{host}/{path}/-/blob/{branch}/"),
    (("bitbucket",), "https://{host}/{path}/src/{branch}/"),
    (("gitea", "forgejo", "codeberg"), "https://{host}/{path}/src/branch/{branch}/"),
)


def address_of(folder: Path) -> str:
    """Return the address at which a folder of a repository can be read, empty if its host is not known.

    The folder need not be there yet.
    """
    root = next((each for each in folder.resolve().parents if (each / ".git").exists()), None)
    if root is None:
        return ""
    git = _git_folder(root / ".git")
    base = _base(_origin(git / "config"), _branch(git))
    return base + quote(folder.resolve().relative_to(root).as_posix()) if base else ""


def _git_folder(path: Path) -> Path:
    """Return the folder with the settings of a repository, also for a worktree, whose `.git` is a file."""
    text = _text(path) if path.is_file() else ""
    if not text.startswith("gitdir:"):
        return path
    folder = (path.parent / text.removeprefix("gitdir:").strip()).resolve()
    shared = _text(folder / "commondir").strip()
    return (folder / shared).resolve() if shared else folder


def _origin(path: Path) -> str:
    """Return the address of the remote `origin`, empty if there is none that can be read."""
    parser = ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read_string(re.sub(r"(?m)^\s+", "", _text(path)))
    except Error:
        return ""
    return (parser.get('remote "origin"', "url", fallback="") or "").strip()


def _branch(git: Path) -> str:
    """Return the branch that the host shows first: that of the remote, else a usual one, else the present one."""
    remote = _text(git / "refs" / "remotes" / "origin" / "HEAD").strip().partition("refs/remotes/origin/")[2]
    packed = _text(git / "packed-refs").splitlines()
    there = (
        name
        for name in _USUAL_BRANCHES
        if (git / "refs" / "heads" / name).is_file() or any(line.endswith(f" refs/heads/{name}") for line in packed)
    )
    present = _text(git / "HEAD").strip().partition("refs/heads/")[2]
    return remote or next(there, present) or _USUAL_BRANCHES[0]


def _base(origin: str, branch: str) -> str:
    """Return the address of the files of a branch; passwords in the address of the remote are left out."""
    if short := _SHORT.fullmatch(origin) if "://" not in origin else None:
        host, path = short["host"], short["path"]
    else:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return ""
        host, path = parts.hostname or "", parts.path
    path = path.strip("/").removesuffix(".git").rstrip("/")
    for words, form in _FORMS:
        if path and any(word in host.lower() for word in words):
            return form.format(host=host, path=quote(path), branch=quote(branch))
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
