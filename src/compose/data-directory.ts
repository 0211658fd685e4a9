import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CommandError } from './command-error.ts';

/** The paths below `--data-dir`. One Skypod owns one data directory. */
export interface DataDirectory {
  root: string;
  store: string;
  pki: string;
  host: string;
  logs: string;
  run: string;
  /** Admin of tenant `default`. */
  kubeconfig: string;
  /** The operator's. */
  systemKubeconfig: string;
  tenantKubeconfig(tenant: string): string;
}

export function openDataDirectory(path: string, { create }: { create: boolean }): DataDirectory {
  const root = resolve(path);
  const data: DataDirectory = {
    root,
    store: join(root, 'store'),
    pki: join(root, 'pki'),
    host: join(root, 'host'),
    logs: join(root, 'logs'),
    run: join(root, 'run'),
    kubeconfig: join(root, 'kubeconfig'),
    systemKubeconfig: join(root, 'system.kubeconfig'),
    tenantKubeconfig: (tenant) => join(root, 'tenants', `${tenant}.kubeconfig`),
  };
  if (create) {
    try {
      mkdirSync(root, { recursive: true, mode: 0o700 });
      for (const directory of [data.store, data.pki, data.host, data.logs, data.run, join(root, 'tenants')])
        mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new CommandError(`cannot write the data directory ${root}: ${(error as Error).message}`);
    }
  }
  return data;
}
