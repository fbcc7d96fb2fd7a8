#!/bin/sh
# Installs this checkout for a server with systemd, beside the versions before it, and lets it run:
#
#     make install        as root: install or upgrade
#     make rollback       as root: go back to the version that ran before
#
# Each version has a directory in /opt/ma-signaling/versions; the link /opt/ma-signaling/current names the one that runs,
# and the link "before" in its directory the one that ran when it was installed.
set -eu
# The service's user must be able to read all that is installed, whatever root's umask is.
umask 022

prefix=${PREFIX:-/opt/ma-signaling}
python=${PYTHON:-python3}
kept=3
source=$(cd "$(dirname "$0")/.." && pwd)
versions=$prefix/versions

has_systemd() { [ "$prefix" = /opt/ma-signaling ] && [ -d /run/systemd/system ]; }

# All at once: whoever starts meanwhile gets the one or the other.
point_to() {
    ln -sfn "versions/$1" "$prefix/current.new"
    mv -T "$prefix/current.new" "$prefix/current"
}

restart() {
    has_systemd || return 0
    # Its own units, since a version may not know the settings in those of another. One from before has none with it.
    [ ! -d "$prefix/current/systemd" ] || cp "$prefix"/current/systemd/ma-signaling* /etc/systemd/system/
    systemctl daemon-reload
    # Where several processes share the port, the socket unit would take it from them.
    units=$({
        systemctl list-units --state=active,activating --plain --no-legend 'ma-signaling@*.service'
        systemctl list-unit-files --state=enabled --no-legend 'ma-signaling@*.service'
    } | awk '$1 !~ /@\.service/ { print $1 }' | sort -u)
    if [ -z "$units" ]; then
        systemctl enable --quiet --now ma-signaling.socket
        systemctl enable --quiet ma-signaling.service
        units=ma-signaling.service
    fi
    for unit in $units; do
        systemctl restart "$unit" || {
            echo "it does not start: journalctl -u $unit says why, and make rollback goes back" >&2
            exit 1
        }
    done
}

install_version() {
    if [ -d "$prefix/bin" ] && [ ! -L "$prefix/bin" ]; then
        echo "$prefix holds an installation without versions: move it away first (mv $prefix $prefix.old)" >&2
        exit 1
    fi
    number=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$source/ma_signaling/__init__.py")
    name=$number-$(date +%Y%m%d-%H%M%S)
    new=$versions/$name
    mkdir -p "$versions"
    trap 'rm -rf "$new"' EXIT
    "$python" -m venv "$new"
    "$new/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement "$source/requirements.txt" --requirement "$source/requirements-build.txt"
    # setuptools would install what an earlier version left there, though this one no longer has it.
    rm -rf "$source/build/lib"
    "$new/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation "$source"
    # Twisted's cache of plugins, which the service's user can't write: it must be younger than they are, by a second.
    find "$new" -path '*/twisted/plugins/*.py' -exec touch -d '1 hour ago' {} +
    "$new/bin/twistd" --help > /dev/null
    cp -R "$source/contrib/systemd" "$new/systemd"
    trap - EXIT
    if [ "$(id -u)" = 0 ] && [ "$prefix" = /opt/ma-signaling ]; then
        id ma-signaling > /dev/null 2>&1 || useradd --system --home-dir /var/lib/ma-signaling \
            --shell /usr/sbin/nologin ma-signaling
        [ -d /etc/ma-signaling ] || install -d -g ma-signaling -m 0750 /etc/ma-signaling
    fi
    before=$(basename "$(readlink "$prefix/current" || true)")
    [ -z "$before" ] || ln -s "../$before" "$new/before"
    point_to "$name"
    ln -sfn current/bin "$prefix/bin"
    restart
    # This one and the one that ran until now stay, which needn't be the youngest; and the youngest of the others.
    ls -1t "$versions" | grep -vFx -e "$name" -e "${before:-$name}" | tail -n +$((kept - 1)) | while read -r old; do
        rm -rf "${versions:?}/$old"
    done
    echo "ma-signaling $name is installed; make rollback goes back"
}

roll_back() {
    current=$(basename "$(readlink "$prefix/current")")
    before=$(basename "$(readlink "$versions/$current/before" || true)")
    if [ -z "$before" ] || [ ! -d "$versions/$before" ]; then
        echo "there is no version before $current" >&2
        exit 1
    fi
    point_to "$before"
    restart
    echo "ma-signaling $before runs again"
}

case ${1:-} in
    install) install_version ;;
    rollback) roll_back ;;
    *)
        echo "usage: $0 install|rollback" >&2
        exit 2
        ;;
esac
