# Sourced by ./skypod and scripts/*: brings what a fresh Debian 12 lacks. Sets $node; wants $here (the checkout).

say() { echo "skypod: $*" >&2; }

# install_debian COMMAND=PACKAGE ...: the packages whose command (or absolute path) is not there.
install_debian() {
  missing=
  for pair in "$@"; do
    program=${pair%%=*}
    case $program in
      /*) [ -e "$program" ] && continue ;;
      *) command -v "$program" >/dev/null 2>&1 && continue ;;
    esac
    missing="$missing ${pair#*=}"
  done
  [ -n "$missing" ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    say "these Debian packages are needed and apt-get is not here:$missing"
    exit 1
  fi
  if [ "$(id -u)" != 0 ]; then
    say "these Debian packages are needed:$missing (run as root, or: sudo apt-get install$missing)"
    exit 1
  fi
  say "installing Debian packages:$missing"
  log=$(mktemp)
  if ! { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    say "apt-get could not install:$missing"
    exit 1
  fi
  rm -f "$log"
}

# The npm packages of package-lock.json, Node 24 (the npm package `node`) among them.
ensure_node() {
  node="$here/node_modules/node/bin/node"
  stamp="$here/node_modules/.skypod-installed"
  if [ -x "$node" ] && cmp -s "$here/package-lock.json" "$stamp"; then return 0; fi
  install_debian npm=npm
  exec 9>"$here/.install.lock" # two starts in one fresh checkout must not install over each other
  flock 9
  if ! { [ -x "$node" ] && cmp -s "$here/package-lock.json" "$stamp"; }; then
    say "installing npm packages and Node 24 (package-lock.json)"
    # Not `npm ci`: it refuses a lock without the optional packages of other platforms, which mirrors may lack.
    (cd "$here" && npm install --no-save --no-audit --no-fund --loglevel=error) >&2
    if [ ! -x "$node" ]; then
      say "the npm package 'node' brought no Node 24: remove node_modules and try again"
      exit 1
    fi
    cp "$here/package-lock.json" "$stamp"
  fi
  exec 9>&-
}

# What hosts with real containers need.
install_host_packages() {
  install_debian containerd=containerd runc=runc crun=crun nft=nftables ip=iproute2 conntrack=conntrack \
    /usr/lib/cni/loopback=containernetworking-plugins mount=mount
}

# What builds and serves the images of images/.
install_image_tools() {
  install_debian skopeo=skopeo umoci=umoci docker-registry=docker-registry
}

# Compiled modules are kept between starts: half the processor time of a start and some 15 MiB less in each process.
if [ -n "${XDG_CACHE_HOME:-${HOME:-}}" ]; then
  : "${NODE_COMPILE_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/skypod/compiled}"
  export NODE_COMPILE_CACHE
fi
