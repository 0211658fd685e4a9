import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

/** Where one data directory's containerd keeps things. */
export interface ContainerdPaths {
  /** Images, snapshots and metadata; outlives a reboot. */
  root: string;
  /** Sockets, pid file, mount namespace; does not outlive a reboot. Short: a socket's path holds 107 bytes. */
  runDirectory: string;
  state: string;
  socket: string;
  pidFile: string;
  mountNamespace: string;
  configuration: string;
  log: string;
  certificates: string;
  cniConfiguration: string;
  cniPlugins: string;
  /** One file a pod, holding the path of its prepared network namespace. */
  preparedNetworks: string;
}

export function containerdPaths(dataDirectory: string): ContainerdPaths {
  const directory = join(resolve(dataDirectory), 'containerd');
  const hash = createHash('sha256').update(resolve(dataDirectory)).digest('hex').slice(0, 12);
  const runDirectory = join('/run/skypod', hash);
  return {
    root: join(directory, 'root'),
    runDirectory,
    state: join(runDirectory, 'state'),
    socket: join(runDirectory, 'containerd.sock'),
    pidFile: join(runDirectory, 'containerd.pid'),
    mountNamespace: join(runDirectory, 'mount-namespace'),
    configuration: join(directory, 'config.toml'),
    log: join(directory, 'containerd.log'),
    certificates: join(directory, 'certs.d'),
    cniConfiguration: join(directory, 'cni/net.d'),
    cniPlugins: join(directory, 'cni/bin'),
    preparedNetworks: join(directory, 'cni/prepared'),
  };
}
