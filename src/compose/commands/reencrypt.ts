import type { KubeObject } from '../../api/object.ts';
import type { Tenant } from '../../api/pool.ts';
import { TENANTS } from '../../api/resources.ts';
import { isNotFound, StatusError } from '../../api/status.ts';
import type { Transport } from '../../api/transport.ts';
import { Client, SYSTEM_TENANT } from '../../client/client.ts';
import { CommandError } from '../command-error.ts';
import { openOperatorClient, unreachable } from './operator-client.ts';
import { formatTable } from './table.ts';

const pageSize = 500;
/** How many are asked for at once. */
const workers = 4;

interface Page {
  items: KubeObject[];
  metadata: { continue?: string };
}

/** Of one resource, over all tenants. */
export interface Rewritten {
  resource: string;
  objects: number;
  /** Those that were stored with another key than the first. */
  written: number;
  /** Of those that could not be written, as where a tenant's webhook refuses. */
  failures: string[];
}

/**
 * `skypod reencrypt`: what `kubectl get … -o json | kubectl replace -f -` does in one tenant, in every tenant. Once it is
 * done, no object of these resources needs the old key any more.
 */
export async function reencrypt(resources: string[], { dataDir }: { dataDir: string }): Promise<void> {
  const { client, server } = await openOperatorClient(dataDir);
  try {
    const done = await rewriteAll(client.transport, resources.length === 0 ? ['secrets'] : resources);
    const rows = done.map(({ resource, objects, written, failures }) => [
      resource,
      ...[objects, written, failures.length].map(String),
    ]);
    process.stdout.write(`${formatTable(['RESOURCE', 'OBJECTS', 'WRITTEN', 'FAILED'], rows)}\n`);
    const failures = done.flatMap((each) => each.failures);
    if (failures.length > 0)
      throw new CommandError(`keep the old key: ${failures.length} could not be written, as ${failures[0]}`);
  } catch (error) {
    throw error instanceof StatusError ? new CommandError(error.message) : unreachable(error, server);
  }
}

/** `resources`: `secrets`, `pandas.bears.example`, `*.apps`, `*.*`. */
export async function rewriteAll(transport: Transport, resources: string[]): Promise<Rewritten[]> {
  const tenants = await new Client(transport).resource<Tenant>(SYSTEM_TENANT, TENANTS).list();
  const names = new Set([SYSTEM_TENANT, ...tenants.items.map(({ metadata }) => metadata.name)]);
  const done: Rewritten[] = [];
  for (const resource of resources) {
    const sum: Rewritten = { resource, objects: 0, written: 0, failures: [] };
    for (const tenant of names) await rewrite(transport, tenant, sum);
    done.push(sum);
  }
  return done;
}

async function rewrite(transport: Transport, tenant: string, sum: Rewritten): Promise<void> {
  for (const { root, plural } of await collections(transport, tenant, sum.resource)) {
    let next: string | undefined;
    do {
      const query = { limit: String(pageSize), ...(next !== undefined && { continue: next }) };
      const list = await orNothing(transport.request<Page>({ method: 'GET', path: `${root}/${plural}`, query }));
      const items = list?.items ?? [];
      sum.objects += items.length;
      const left = items.values();
      await Promise.all(
        Array.from({ length: workers }, async () => {
          for (const item of left) await touch(transport, root, plural, item, sum);
        }),
      );
      next = list?.metadata?.continue || undefined;
    } while (next !== undefined);
  }
}

interface Collection {
  root: string;
  plural: string;
}

/** Those of the tenant that a name means, as an EncryptionConfiguration has it: `secrets`, `*.apps`, `*.` or `*.*`. */
async function collections(transport: Transport, tenant: string, resource: string): Promise<Collection[]> {
  const dot = resource.indexOf('.');
  const plural = dot < 0 ? resource : resource.slice(0, dot);
  const group = dot < 0 ? '' : resource.slice(dot + 1);
  const groups = group === '*' ? ['', ...(await ownGroups(transport, tenant))] : [group];
  const found: Collection[] = [];
  for (const each of groups) {
    const root = await versionPath(transport, tenant, each);
    if (root === undefined) continue;
    if (plural !== '*') found.push({ root, plural });
    else for (const { name } of await storedResources(transport, root)) found.push({ root, plural: name });
  }
  return found;
}

/** Without those that a server of the tenant's answers for: it stores them itself. */
async function ownGroups(transport: Transport, tenant: string): Promise<string[]> {
  const get = <T>(path: string) => transport.request<T>({ method: 'GET', path: `/clusters/${tenant}/apis${path}` });
  const { groups } = await get<{ groups: { name: string }[] }>('');
  const services = await orNothing(get<Page>('/apiregistration.k8s.io/v1/apiservices'));
  const elsewhere = (services?.items ?? []).filter(({ spec }) => spec?.service != null).map(({ spec }) => spec.group);
  return groups.map(({ name }) => name).filter((name) => !elsewhere.includes(name));
}

async function storedResources(transport: Transport, path: string): Promise<{ name: string }[]> {
  const { resources } = await transport.request<{ resources: { name: string; verbs: string[] }[] }>({
    method: 'GET',
    path,
  });
  return resources.filter(
    ({ name, verbs }) => !name.includes('/') && verbs.includes('list') && verbs.includes('patch'),
  );
}

/** `/clusters/TENANT/apis/GROUP/VERSION`; undefined where the tenant has no such group. */
async function versionPath(transport: Transport, tenant: string, group: string): Promise<string | undefined> {
  if (group === '') return `/clusters/${tenant}/api/v1`;
  const path = `/clusters/${tenant}/apis/${group}`;
  const found = await orNothing(transport.request<{ preferredVersion: { version: string } }>({ method: 'GET', path }));
  return found && `${path}/${found.preferredVersion.version}`;
}

/** A patch that changes nothing: stored again only where its form is old. */
async function touch(
  transport: Transport,
  root: string,
  plural: string,
  { metadata }: KubeObject,
  sum: Rewritten,
): Promise<void> {
  const { namespace, name, resourceVersion } = metadata;
  const path = `${root}/${namespace === undefined ? '' : `namespaces/${namespace}/`}${plural}/${name}`;
  const contentType = 'application/merge-patch+json';
  try {
    const after = await orNothing(transport.request<KubeObject>({ method: 'PATCH', path, contentType, body: {} }));
    if (after !== undefined && after.metadata.resourceVersion !== resourceVersion) sum.written++;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    // Endpoints of the API at a loopback address are shown, and could not have been stored.
    if (error.reason === 'Invalid' && `${namespace}/${name}` === 'default/kubernetes') return;
    sum.failures.push(`${path}: ${error.message}`);
  }
}

/** What is not there, or not any more, needs no key. */
async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
