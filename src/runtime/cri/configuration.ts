import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from './find-program.ts';
import { mayLowerOomScores } from './oom-scores.ts';
import type { ContainerdPaths } from './paths.ts';
import { PAUSE_IMAGE } from './pause-image.ts';

/** A way to run containers that a RuntimeClass handler names; the default's handler is ''. */
export interface RuntimeHandler {
  /** Name in containerd's configuration. */
  name: string;
  runtimeType: string;
  binary?: string;
}

/**
 * What this machine has, the default first: crun where it is installed (a third less CPU a pod than runc), then runc;
 * gVisor and Kata join when their shims are there.
 */
export function installedHandlers(): RuntimeHandler[] {
  const handlers: RuntimeHandler[] = [];
  for (const name of ['crun', 'runc']) {
    const binary = findProgram(name);
    if (binary !== undefined) handlers.push({ name, runtimeType: 'io.containerd.runc.v2', binary });
  }
  if (findProgram('containerd-shim-runsc-v1') !== undefined && findProgram('runsc') !== undefined) {
    handlers.push({ name: 'runsc', runtimeType: 'io.containerd.runsc.v1' });
  }
  if (findProgram('containerd-shim-kata-v2') !== undefined) {
    handlers.push({ name: 'kata', runtimeType: 'io.containerd.kata.v2' });
  }
  return handlers;
}

/** Writes containerd's configuration and the CNI directories; returns the configuration's text. */
export function writeConfiguration(paths: ContainerdPaths, handlers: RuntimeHandler[]): string {
  for (const directory of [paths.root, paths.certificates, paths.cniConfiguration, paths.cniPlugins]) {
    mkdirSync(directory, { recursive: true });
  }
  mkdirSync(paths.preparedNetworks, { recursive: true });
  for (const plugin of ['skypod-attach', 'loopback']) {
    copyFileSync(join(import.meta.dirname, 'cni', plugin), join(paths.cniPlugins, plugin));
    chmodSync(join(paths.cniPlugins, plugin), 0o755);
  }
  const network = { cniVersion: '0.4.0', name: 'skypod', plugins: [{ type: 'skypod-attach' }] };
  writeFileSync(join(paths.cniConfiguration, '10-skypod.conflist'), JSON.stringify(network));
  const text = configurationText(paths, handlers);
  writeFileSync(paths.configuration, text);
  return text;
}

function configurationText(paths: ContainerdPaths, handlers: RuntimeHandler[]): string {
  const quote = JSON.stringify;
  const runtimes = handlers.map(({ name, runtimeType, binary }) => {
    const table = `plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${name}`;
    const options = binary === undefined ? '' : `[${table}.options]\nBinaryName = ${quote(binary)}\n`;
    return `[${table}]\nruntime_type = ${quote(runtimeType)}\n${options}`;
  });
  // Disabled: snapshotters that need a filesystem or device of their own, NRI's and tracing's plug-ins that write
  // outside our directories. restrict_oom_score_adj: where a score may not be lowered, trying fails every sandbox.
  return `version = 2
root = ${quote(paths.root)}
state = ${quote(paths.state)}
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
address = ${quote(paths.socket)}
[debug]
level = "warn"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = ${quote(PAUSE_IMAGE)}
restrict_oom_score_adj = ${!mayLowerOomScores()}
stream_server_address = "127.0.0.1"
stream_server_port = "0"
max_concurrent_downloads = 6
enable_unprivileged_ports = true
enable_unprivileged_icmp = true
netns_mounts_under_state_dir = true
tolerate_missing_hugetlb_controller = true
[plugins."io.containerd.grpc.v1.cri".cni]
conf_dir = ${quote(paths.cniConfiguration)}
bin_dir = ${quote(paths.cniPlugins)}
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = ${quote(paths.certificates)}
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = ${quote(handlers[0].name)}
${runtimes.join('')}`;
}
