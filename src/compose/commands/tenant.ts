import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Tenant } from '../../api/pool.ts';
import { TENANTS } from '../../api/resources.ts';
import { isAlreadyExists, isNotFound } from '../../api/status.ts';
import { sleep } from '../../base/abort.ts';
import { systemClock } from '../../base/clock.ts';
import { SYSTEM_TENANT } from '../../client/client.ts';
import { CommandError } from '../command-error.ts';
import { openAuthority, writeTenantKubeconfig } from '../pki.ts';
import { openOperatorClient, unreachable } from './operator-client.ts';
import { formatTable } from './table.ts';

interface TenantCommandOptions {
  dataDir: string;
}

export async function createTenant(name: string, { dataDir }: TenantCommandOptions): Promise<void> {
  const { data, client, server, peers } = await openOperatorClient(dataDir);
  let created: Tenant;
  try {
    created = await client
      .resource<Tenant>(SYSTEM_TENANT, TENANTS)
      .create({ apiVersion: 'tenancy.skypod.io/v1alpha1', kind: 'Tenant', metadata: { name } });
  } catch (error) {
    if (isAlreadyExists(error)) throw new CommandError(`tenant ${name} exists already`);
    throw asCommandError(error, server);
  }
  const path = data.tenantKubeconfig(name);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const authority = await openAuthority(data, systemClock);
  await writeTenantKubeconfig(path, authority, server, name, peers, created.metadata.uid);
  process.stdout.write(`tenant ${name} created: export KUBECONFIG=${path}\n`);
}

export async function listTenants({ dataDir }: TenantCommandOptions): Promise<void> {
  const { client, server } = await openOperatorClient(dataDir);
  try {
    const tenants = await client.resource<Tenant>(SYSTEM_TENANT, TENANTS).list();
    const rows = tenants.items.map((tenant) => [
      tenant.metadata.name,
      tenant.metadata.deletionTimestamp === undefined ? (tenant.status?.phase ?? 'Active') : 'Terminating',
      tenant.metadata.creationTimestamp,
    ]);
    process.stdout.write(`${formatTable(['NAME', 'STATUS', 'CREATED'], rows)}\n`);
  } catch (error) {
    throw asCommandError(error, server);
  }
}

/** Returns when nothing of the tenant is left. */
export async function deleteTenant(name: string, { dataDir }: TenantCommandOptions): Promise<void> {
  const { data, client, server } = await openOperatorClient(dataDir);
  const tenants = client.resource<Tenant>(SYSTEM_TENANT, TENANTS);
  try {
    await tenants.delete(name);
    for (;;) {
      const left = await tenants.get(name).catch((error) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      if (left === undefined) break;
      await sleep(200);
    }
  } catch (error) {
    if (isNotFound(error)) throw new CommandError(`there is no tenant ${name}`);
    throw asCommandError(error, server);
  }
  rmSync(data.tenantKubeconfig(name), { force: true });
  process.stdout.write(`tenant ${name} deleted\n`);
}

function asCommandError(error: unknown, server: string): unknown {
  const refused = unreachable(error, server);
  return (refused as { reason?: string }).reason !== undefined ? new CommandError((refused as Error).message) : refused;
}
