import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { eventually } from '../lib/eventually.ts';
import { readAllowList } from './differential/allow-list.ts';
import { HttpClient } from './differential/client.ts';
import { normaliser } from './differential/normalise.ts';
import { printReport } from './differential/report.ts';
import { startSkypodAlone, tenantPrefix } from './differential/skypod-server.ts';
import { type Both, type Side, Twin } from './differential/twin.ts';
import type { Endpoint } from './http2-client.ts';
import { type Published, readCorpus } from './public/corpus.ts';
import { comparePodSecurity } from './public/pod-security.ts';
import { missingForKubernetes, removeDirectory, startKubernetesPeer } from './servers.ts';

/**
 * What projects publish, to Skypod and to kube-apiserver: their definitions are made in both, and every manifest that
 * lies beside them is created in both as a dry run. Answers must be equal to the byte that a client could notice.
 */
const { values: flags } = parseArgs({
  options: {
    /** Modules, by a regular expression. */
    only: { type: 'string' },
    /** Everything found, one JSON line a difference. */
    json: { type: 'string' },
  },
});

const directory = mkdtempSync(join(tmpdir(), `skypod-public-${process.pid}-`));
const closing: (() => unknown)[] = [];

function sideOf(name: Side['name'], endpoint: Endpoint, prefix: string): Side {
  const client = new HttpClient(endpoint, prefix);
  closing.push(() => client.close());
  const own: [RegExp | string, string][] = prefix === '' ? [] : [[prefix, '']];
  return { name, endpoint, prefix, client, normaliser: normaliser([...own, ...chosen]), notes: {} };
}

/** What each server chooses for itself, or was told. */
const chosen: [RegExp | string, string][] = [
  [/\b10\.(?:9[6-9]|1[01]\d)\.\d+\.\d+(?:\/\d+)?/g, '<service address>'],
  [/(?<=^|")\S*-[bcdfghjklmnpqrstvwxz2456789]{5}(?="|$)/g, '<generated name>'],
];

const generated = (base: string): [RegExp, string][] => [
  [
    new RegExp(`${base.slice(0, 58).replaceAll(/[^a-z0-9]/g, '\\$&')}[bcdfghjklmnpqrstvwxz2456789]{5}`, 'g'),
    '<generated name>',
  ],
];

/** Built-in kinds told apart are told so in order. */
const builtinGroups =
  /^(v1|apps|batch|autoscaling|policy|(rbac\.authorization|networking|storage|apiextensions|discovery|coordination|admissionregistration|certificates|scheduling|node|resource|events|apiregistration|flowcontrol\.apiserver)\.k8s\.io)(\/|$)/;
const isCustom = ({ apiVersion }: Published): boolean => !builtinGroups.test(apiVersion);

/**
 * Upstream looks at the properties of custom objects in no order, and what is wrong with objects that are wrong in every
 * field is told in another order here: what is wrong with several is told in one.
 */
function inOneOrder({ json, text }: Both['kubernetes']): unknown {
  const causes: object[] | undefined = json?.details?.causes;
  if (causes === undefined || causes.length < 2) return json ?? text;
  const sorted = causes.map((cause) => JSON.stringify(cause)).sort();
  return { ...json, message: json.message.split(' is invalid: ', 1)[0], details: { ...json.details, causes: sorted } };
}

interface Kind {
  /** e.g. `/apis/apps/v1` */
  base: string;
  resource: string;
  namespaced: boolean;
}

async function kindsOf(side: Side): Promise<Map<string, Kind>> {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const kinds = new Map<string, Kind>();
  for (const root of ['/api', '/apis']) {
    const { json } = await side.client.send({ path: root, accept });
    for (const group of json.items) {
      for (const { version, resources } of group.versions) {
        const groupVersion = root === '/api' ? version : `${group.metadata.name}/${version}`;
        for (const { resource, scope, responseKind, verbs } of resources ?? []) {
          if (!verbs.includes('create')) continue;
          const kind = { base: `${root}/${groupVersion}`, resource, namespaced: scope === 'Namespaced' };
          kinds.set(`${groupVersion}/${responseKind.kind}`, kind);
        }
      }
    }
  }
  return kinds;
}

/** Conditions come in the order in which they came about. */
const settled = ({ json }: Both['kubernetes']) => ({
  spec: json.spec,
  names: json.status?.acceptedNames,
  storedVersions: json.status?.storedVersions,
  conditions: Object.fromEntries(
    (json.status?.conditions ?? []).map(({ type, status, reason, message }: Record<string, string>) => [
      type,
      { status, reason, message },
    ]),
  ),
});

const isEstablished = ({ json }: Both['kubernetes']): boolean =>
  json?.status?.conditions?.some(
    ({ type, status }: Record<string, string>) =>
      (type === 'Established' && status === 'True') || (type === 'NamesAccepted' && status === 'False'),
  );

async function run(): Promise<boolean> {
  const missing = missingForKubernetes();
  if (missing !== undefined) throw new Error(`kube-apiserver cannot be started here: ${missing}`);
  const only = flags.only === undefined ? undefined : new RegExp(flags.only);
  const corpus = readCorpus(only);
  for (const line of corpus.missing) console.log(`NOT HAD ${line}`);
  const skypod = await startSkypodAlone(join(directory, 'skypod'));
  closing.push(() => skypod.close());
  const peer = await startKubernetesPeer(directory);
  closing.push(() => peer.destroy());
  const kubernetesSide = sideOf('kubernetes', peer.endpoint, '');
  const skypodSide = sideOf('skypod', skypod.endpoint, tenantPrefix);

  const definitions = new Twin('', 'definitions', kubernetesSide, skypodSide);
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  for (const definition of corpus.definitions) {
    const name = definition.metadata.name!;
    // Conversion webhooks of theirs are not running.
    const { status: _status, ...body } = definition;
    const { kubernetes, skypod } = await definitions.ask(
      name,
      { method: 'POST', path, body },
      { reduce: withoutStatus },
    );
    if (kubernetes.status !== 201 || skypod.status !== 201) continue;
    const both = await established(definitions, `${path}/${name}`);
    definitions.compare(`${name}, established`, both, { reduce: settled });
  }

  const objects = new Twin('', 'objects', kubernetesSide, skypodSide);
  await objects.prepare({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: 'public' } } });
  const accounts = '/api/v1/namespaces/public/serviceaccounts';
  await objects.prepare({ method: 'POST', path: accounts, body: { metadata: { name: 'default' } } });
  const kinds = await kindsOf(kubernetesSide);
  let unknown = 0;
  for (const { object, from } of corpus.objects) {
    const kind = kinds.get(`${object.apiVersion}/${object.kind}`);
    if (kind === undefined) {
      unknown++;
      continue;
    }
    const body: Published = { ...object, metadata: { ...object.metadata } };
    if (kind.namespaced) body.metadata.namespace = 'public';
    else delete body.metadata.namespace;
    const where = `${kind.base}${kind.namespaced ? '/namespaces/public' : ''}/${kind.resource}`;
    const ask = { method: 'POST', path: `${where}?dryRun=All&fieldManager=public&fieldValidation=Warn`, body };
    const { generateName } = object.metadata;
    const made = typeof generateName === 'string' && generateName !== '' ? generated(generateName) : [];
    const options = {
      replace: made,
      ...((isCustom(object) || from.startsWith('testdata/HEAD/')) && { reduce: inOneOrder }),
    };
    await objects.ask(`${object.kind} ${object.metadata.name} of ${from}`, ask, options);
  }
  console.log(
    `${corpus.definitions.length} definitions; ${corpus.objects.length - unknown} objects, ${unknown} of no known kind`,
  );
  const security = new Twin('', 'pod security', kubernetesSide, skypodSide);
  if (only === undefined || only.test('pod-security-admission')) await comparePodSecurity(security);
  const options = { all: false, whole: only === undefined, json: flags.json };
  const allowed = readAllowList(new URL('public/allowed.txt', import.meta.url));
  return printReport([...definitions.recorded, ...objects.recorded, ...security.recorded], allowed, options) === 0;
}

const withoutStatus = ({ json, text }: Both['kubernetes']): unknown => {
  if (json === undefined) return text;
  if (json.kind !== 'CustomResourceDefinition') return json;
  const { status: _status, ...rest } = json;
  return rest;
};

async function established(twin: Twin, path: string): Promise<Both> {
  let both: Both | undefined;
  await eventually(`${path} is established`, async () => {
    both = await twin.prepare({ path });
    return isEstablished(both.kubernetes) && isEstablished(both.skypod);
  });
  return both!;
}

let passed = false;
try {
  passed = await run();
} catch (error) {
  console.error(error);
} finally {
  for (const close of closing.reverse()) await close();
  removeDirectory(directory);
}
process.exit(passed ? 0 : 1);
