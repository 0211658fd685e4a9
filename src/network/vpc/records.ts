import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { HostPort } from '../../api/pod-network.ts';

export interface PodRecord {
  tenant: string;
  uid: string;
  hostNetwork: boolean;
  /** The pod's own; the gateway's for hostNetwork. */
  ip: string;
  hostPorts?: HostPort[];
  nodeAddress?: string;
}

export interface VpcRecord {
  tenant: string;
  /** Number of its link. */
  link: number;
  /** Hash of the rules that stand in its namespace; undefined until they do. */
  rules?: string;
}

/**
 * What the kernel can't tell after a restart, in small files under `DATA/network`: who has which address and which
 * VPC which link. A file is written before the kernel is asked and removed after it let go, so a crash between leaves
 * a file too many, never an address with two owners. No fsync: after a power failure the namespaces are gone as well.
 */
export class Records {
  readonly #directory: string;

  constructor(dataDirectory: string) {
    this.#directory = join(dataDirectory, 'network');
  }

  async writePod(record: PodRecord): Promise<void> {
    await this.#write(join('pods', record.tenant), record.uid, record);
  }

  async removePod(tenant: string, uid: string): Promise<void> {
    await rm(join(this.#directory, 'pods', tenant, `${uid}.json`), { force: true });
  }

  async pods(): Promise<PodRecord[]> {
    const records: PodRecord[] = [];
    for (const tenant of await list(join(this.#directory, 'pods'))) {
      records.push(...(await readAll<PodRecord>(join(this.#directory, 'pods', tenant))));
    }
    return records;
  }

  async writeVpc(record: VpcRecord): Promise<void> {
    await this.#write('vpcs', record.tenant, record);
  }

  async removeVpc(tenant: string): Promise<void> {
    await rm(join(this.#directory, 'vpcs', `${tenant}.json`), { force: true });
    await rm(join(this.#directory, 'pods', tenant), { force: true, recursive: true });
  }

  async vpcs(): Promise<VpcRecord[]> {
    return await readAll(join(this.#directory, 'vpcs'));
  }

  /** The interface whose forwarding was off before us. */
  async writeForwarding(interfaceName: string): Promise<void> {
    await this.#write('machine', 'forwarding', { interfaceName });
  }

  async forwarding(): Promise<string | undefined> {
    return (await readAll<{ interfaceName: string }>(join(this.#directory, 'machine')))[0]?.interfaceName;
  }

  async removeAll(): Promise<void> {
    await rm(this.#directory, { force: true, recursive: true });
  }

  async #write(folder: string, name: string, value: unknown): Promise<void> {
    const directory = join(this.#directory, folder);
    const path = join(directory, `${name}.json`);
    const write = () => writeFile(`${path}.new`, JSON.stringify(value));
    await write().catch(async () => {
      await mkdir(directory, { recursive: true });
      await write();
    });
    await rename(`${path}.new`, path);
  }
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function readAll<T>(directory: string): Promise<T[]> {
  const values: T[] = [];
  for (const name of await list(directory)) {
    if (!name.endsWith('.json')) continue;
    values.push(JSON.parse(await readFile(join(directory, name), 'utf8')) as T);
  }
  return values;
}
