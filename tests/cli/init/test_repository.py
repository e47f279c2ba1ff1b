"""The address of a folder in a browser, from what git has written down."""

from pathlib import Path

import pytest

from mlmetrics.cli.init.repository import address_of


def repository(folder: Path, origin: str, *, branch: str = "", head: str = "") -> Path:
    """Write the settings of a repository with a remote, and return the folder of runbooks in it."""
    git = folder / ".git"
    git.mkdir(parents=True)
    (git / "config").write_text(
        '[core]\n\tbare = false\n[remote "upstream"]\n\turl = https://github.com/other/other.git\n'
        f'[remote "origin"]\n\turl = {origin}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n[branch "main"]\n'
        "\tremote = origin\n"
    )
    (git / "HEAD").write_text(f"ref: refs/heads/{head or 'main'}\n")
    if branch:
        (git / "refs/remotes/origin").mkdir(parents=True)
        (git / "refs/remotes/origin/HEAD").write_text(f"ref: refs/remotes/origin/{branch}\n")
    return folder / "monitoring" / "runbooks"


class TestAddressOf:
    """`address_of` returns where a folder can be read."""

    @pytest.mark.parametrize(
        ("origin", "base"),
        [
            ("https://github.com/acme/shop.git", "https://github.com/acme/shop/blob/main"),
            ("https://github.com/acme/shop/", "https://github.com/acme/shop/blob/main"),
            ("git@github.com:acme/shop.git", "https://github.com/acme/shop/blob/main"),
            ("ssh://git@github.com:22/acme/shop.git", "https://github.com/acme/shop/blob/main"),
            ("https://me:token@github.example.org/acme/shop", "https://github.example.org/acme/shop/blob/main"),
            ("git@gitlab.com:group/sub group/shop.git", "https://gitlab.com/group/sub%20group/shop/-/blob/main"),
            ("https://gitlab.acme.org/ml/shop.git", "https://gitlab.acme.org/ml/shop/-/blob/main"),
            ("git@bitbucket.org:acme/shop.git", "https://bitbucket.org/acme/shop/src/main"),
            ("https://codeberg.org/acme/shop.git", "https://codeberg.org/acme/shop/src/branch/main"),
            ("gitea@gitea.acme.org:acme/shop.git", "https://gitea.acme.org/acme/shop/src/branch/main"),
        ],
    )
    def test_hosts(self, tmp_path: Path, origin: str, base: str) -> None:
        """GitHub, GitLab, Bitbucket and Gitea name files in their own ways; names and passwords are left out."""
        assert f"{base}/monitoring/runbooks" == address_of(repository(tmp_path, origin))

    @pytest.mark.parametrize(
        "origin",
        ["https://git.acme.org/shop.git", "/srv/git/shop.git", "../shop", "file:///srv/github/shop", "https://[x", ""],
    )
    def test_unknown_hosts(self, tmp_path: Path, origin: str) -> None:
        """A remote on no known host has no address."""
        assert not address_of(repository(tmp_path, origin))

    def test_branches(self, tmp_path: Path) -> None:
        """The remote's own branch comes first, then a usual one that is there, then the present one."""
        shown = repository(tmp_path / "a", "git@github.com:acme/shop.git", branch="trunk", head="fix/typo")
        usual = repository(tmp_path / "b", "git@github.com:acme/shop.git", head="fix/typo")
        (tmp_path / "b/.git/packed-refs").write_text("# pack-refs\nabc refs/heads/master\n")
        present = repository(tmp_path / "c", "git@github.com:acme/shop.git", head="dev/new")
        branches = [
            address_of(each).split("/blob/")[1].removesuffix("/monitoring/runbooks") for each in (shown, usual, present)
        ]
        assert ["trunk", "master", "dev/new"] == branches

    def test_project_inside_a_repository(self, tmp_path: Path) -> None:
        """The path begins at the root of the repository."""
        repository(tmp_path, "git@github.com:acme/all.git")
        found = address_of(tmp_path / "services" / "shop" / "runbooks")
        assert "https://github.com/acme/all/blob/main/services/shop/runbooks" == found

    def test_worktree(self, tmp_path: Path) -> None:
        """In a worktree, the settings are those of its repository."""
        repository(tmp_path / "shop", "git@github.com:acme/shop.git")
        own = tmp_path / "shop/.git/worktrees/fix"
        own.mkdir(parents=True)
        (own / "commondir").write_text("../..\n")
        (tmp_path / "fix").mkdir()
        (tmp_path / "fix/.git").write_text(f"gitdir: {own}\n")
        assert "https://github.com/acme/shop/blob/main/runbooks" == address_of(tmp_path / "fix/runbooks")

    @pytest.mark.parametrize(
        "text", ["", "[remote", 'url = x\n[remote "origin"]', '[remote "origin"]\nurl\n', "\x00\xff"]
    )
    def test_half_edited_settings(self, tmp_path: Path, text: str) -> None:
        """Settings that cannot be read are as none."""
        folder = repository(tmp_path, "git@github.com:acme/shop.git")
        (tmp_path / ".git/config").write_text(text)
        assert not address_of(folder)

    def test_no_repository(self, tmp_path: Path) -> None:
        """Outside of a repository there is no address."""
        assert not address_of(tmp_path / "runbooks")
