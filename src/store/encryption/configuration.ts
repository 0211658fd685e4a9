import { parse } from 'yaml';
import { type Clock, systemClock } from '../../base/clock.ts';
import { KmsProvider } from './kms/provider.ts';
import { KmsService } from './kms/service.ts';
import { aesCbc, aesGcm, identity, type Key, type Provider, ProviderList } from './providers.ts';
import { secretbox } from './secretbox.ts';

/** Which resources are written how. Source: EncryptionConfiguration of apiserver.config.k8s.io/v1. */
export interface EncryptionRules {
  /** The providers of `resource` or `resource.group`; undefined where values stay as they are. */
  providersOf(resource: string, group: string): ProviderList | undefined;
  /** Plug-ins behind some of them: to be started before anything is read or written. */
  readonly services: readonly KmsProvider[];
}

const aesKeySizes = [16, 24, 32];
const makers: Record<string, { make(key: Key): Provider; keySizes: number[] }> = {
  aesgcm: { make: aesGcm, keySizes: aesKeySizes },
  aescbc: { make: aesCbc, keySizes: aesKeySizes },
  secretbox: { make: secretbox, keySizes: [32] },
};

/** Where the platform keeps copies of secrets: instances carry what their pods mount. */
const copiesOfSecrets = 'containerinstances.pool.skypod.io';

/** From the text of a configuration file. @throws Error that names each field that is wrong, as upstream */
export function parseEncryptionConfiguration(text: string, clock: Clock = systemClock): EncryptionRules {
  const document = parse(text);
  if (document?.kind !== 'EncryptionConfiguration' || document.apiVersion !== 'apiserver.config.k8s.io/v1') {
    throw new Error('it is no EncryptionConfiguration of apiserver.config.k8s.io/v1');
  }
  const problems: string[] = unknownFields(document);
  const list = (value: unknown): any[] => (Array.isArray(value) ? value : []);
  if (list(document.resources).length === 0)
    problems.push('resources: Required value: at least one resources is required');
  const services: KmsProvider[] = [];
  const byPattern = new Map<string, Provider[]>();
  for (const [index, entry] of list(document.resources).entries()) {
    const at = `resources[${index}]`;
    const patterns = list(entry?.resources).map(String);
    if (patterns.length === 0)
      problems.push(`${at}.resources: Required value: at least one ${at}.resources is required`);
    for (const [place, pattern] of patterns.entries())
      problems.push(...checkName(pattern, `${at}.resources[${place}]`));
    problems.push(...checkOverlap(patterns, `${at}.resources`));
    const given = list(entry?.providers);
    if (given.length === 0) problems.push(`${at}.providers: Required value: at least one ${at}.providers is required`);
    const providers = given.flatMap((each, place) => {
      const where = `${at}.providers[${place}]`;
      if (each?.kms == null) return readProvider(each, where, problems);
      const service = readKms(each.kms, `${where}.kms`, services, clock, problems);
      if (service !== undefined) services.push(service);
      return service === undefined ? [] : [service];
    });
    for (const pattern of patterns) {
      const masks = [wholeGroup(pattern), '*.*'].find((mask) => byPattern.has(mask) && mask !== pattern);
      if (masks !== undefined) problems.push(`resource "${pattern}" is masked by earlier rule "${masks}"`);
      // Lists of one resource add up: the first of all writes.
      byPattern.set(pattern, [...(byPattern.get(pattern) ?? []), ...providers]);
    }
  }
  if (problems.length > 0) {
    for (const service of services) service.close();
    throw new Error(problems.join('; '));
  }
  const lists = new Map([...byPattern].map(([pattern, providers]) => [pattern, new ProviderList(providers)]));
  const find = (resource: string, group: string) =>
    lists.get(group === '' ? resource : `${resource}.${group}`) ?? lists.get(`*.${group}`) ?? lists.get('*.*');
  return {
    services,
    providersOf(resource, group) {
      const own = find(resource, group);
      // A copy must not be easier to read than what it is a copy of.
      return own === undefined && `${resource}.${group}` === copiesOfSecrets ? find('secrets', '') : own;
    },
  };
}

type Fields = { [field: string]: Fields | null };

const keys: Fields = { keys: { name: null, secret: null } };
/** Every field there is; lists as what is in them. */
const fields: Fields = {
  kind: null,
  apiVersion: null,
  resources: {
    resources: null,
    providers: {
      aesgcm: keys,
      aescbc: keys,
      secretbox: keys,
      identity: {},
      kms: { apiVersion: null, name: null, cachesize: null, endpoint: null, timeout: null },
    },
  },
};

/** A field that is written wrong must not leave anything unencrypted. */
function unknownFields(value: unknown, known: Fields | null = fields, at = ''): string[] {
  if (known === null || typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => unknownFields(item, known, `${at}[${index}]`));
  return Object.entries(value).flatMap(([field, inner]) => {
    const path = at === '' ? field : `${at}.${field}`;
    const there = Object.hasOwn(known, field);
    return there ? unknownFields(inner, known[field], path) : [`strict decoding error: unknown field "${path}"`];
  });
}

/** `*.GROUP` of `RESOURCE.GROUP`, `*.` of a resource of the core group. */
const wholeGroup = (pattern: string) => `*.${pattern.includes('.') ? pattern.slice(pattern.indexOf('.') + 1) : ''}`;

function checkName(pattern: string, at: string): string[] {
  const invalid = (why: string) => [`${at}: Invalid value: ${JSON.stringify(pattern)}: ${why}`];
  const group = pattern.includes('.') ? pattern.slice(pattern.indexOf('.') + 1) : '';
  if (pattern.toLowerCase() !== pattern) return invalid('resource name should not contain capital letters');
  if (pattern === '*') {
    return invalid("use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources");
  }
  if (['apiserveripinfo', 'serviceipallocations', 'servicenodeportallocations'].includes(pattern)) {
    return invalid('resources which do not have REST API/s cannot be encrypted');
  }
  if (group === 'events.k8s.io') {
    return invalid(
      "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file",
    );
  }
  if (group === 'extensions') {
    return invalid("'extensions' group has been removed and cannot be used for encryption");
  }
  if (group === '*' && pattern !== '*.*') return invalid('encrypting the same resource across groups is not supported');
  return [];
}

function checkOverlap(patterns: string[], at: string): string[] {
  const invalid = (why: string) => `${at}: Invalid value: ${JSON.stringify(patterns)}: ${why}`;
  const problems: string[] = [];
  if (new Set(patterns).size !== patterns.length) {
    problems.push(invalid('the same resource cannot be specified multiple times'));
  }
  const groups = [...new Set(patterns)].map((pattern) =>
    pattern.includes('.') ? pattern.replace(/^[^.]*\./, '') : '',
  );
  const hides = (pattern: string, place: number) =>
    pattern === '*.*' ||
    (pattern.startsWith('*.') && groups.some((group, other) => other !== place && group === groups[place]));
  const distinct = [...new Set(patterns)];
  if (distinct.length > 1 && distinct.some(hides)) {
    problems.push(
      invalid(
        "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
      ),
    );
  }
  return problems;
}

const kinds = ['kms', 'aesgcm', 'aescbc', 'secretbox', 'identity'];

function readProvider(given: any, at: string, problems: string[]): Provider[] {
  const named = kinds.filter((kind) => given?.[kind] !== undefined && given[kind] !== null);
  const [kind] = named;
  if (kind === undefined) {
    problems.push(
      `${at}: Invalid value: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity`,
    );
    return [];
  }
  if (named.length > 1) {
    problems.push(
      `${at}: Invalid value: more than one provider specified in a single element, should split into different list elements`,
    );
    return [];
  }
  if (kind === 'identity') return [identity];
  const maker = makers[kind];
  if (maker === undefined) {
    problems.push(`${at}.${kind}: Unsupported value: Skypod has kms (v2), aesgcm, aescbc, secretbox and identity`);
    return [];
  }
  const keys = Array.isArray(given[kind].keys) ? given[kind].keys : [];
  if (keys.length === 0) problems.push(`${at}.${kind}.keys: Required value: at least one keys is required`);
  return keys.flatMap((each: any, index: number) => {
    const key = readKey(each, `${at}.${kind}.keys[${index}]`, maker.keySizes, problems);
    return key === undefined ? [] : [maker.make(key)];
  });
}

function readKey(given: any, at: string, keySizes: number[], problems: string[]): Key | undefined {
  const before = problems.length;
  if (!given?.name) problems.push(`${at}.name: Required value: name is a mandatory field for a key`);
  if (!given?.secret) {
    problems.push(`${at}.secret: Required value: secret is a mandatory field for a key`);
    return undefined;
  }
  // As Go reads base64: lines may be broken anywhere.
  const text = String(given.secret).replace(/[\r\n]/g, '');
  const bytes = Buffer.from(text, 'base64');
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    problems.push(`${at}.secret: Invalid value: "REDACTED": secrets must be base64 encoded`);
  } else if (!keySizes.includes(bytes.length)) {
    problems.push(
      `${at}.secret: Invalid value: "REDACTED": secret is not of the expected length, got ${bytes.length}, expected one of [${keySizes.join(' ')}]`,
    );
  }
  return problems.length === before ? { name: String(given.name), bytes } : undefined;
}

/** Source: validateKMSConfiguration upstream. */
function readKms(
  given: any,
  at: string,
  known: readonly KmsProvider[],
  clock: Clock,
  problems: string[],
): KmsProvider | undefined {
  const before = problems.length;
  const wrong = (field: string, value: unknown, why: string) =>
    problems.push(`${at}.${field}: Invalid value: ${JSON.stringify(value)}: ${why}`);
  const { name = '', apiVersion = 'v1', endpoint = '', timeout = '3s', cachesize } = given;
  if (name === '') problems.push(`${at}.name: Required value: name is a mandatory field for a provider`);
  else if (String(name).includes(':')) wrong('name', name, `invalid KMS provider name ${name}, must not contain ':'`);
  else if (known.some((other) => other.name === name)) {
    wrong('name', name, `duplicate KMS provider name ${name}, names must be unique`);
  }
  const timeoutMs = durationMs(String(timeout));
  if (!(timeoutMs > 0)) wrong('timeout', timeout, 'timeout should be a positive value');
  if (endpoint === '') wrong('endpoint', '', 'endpoint is a mandatory field for a kms');
  else if (!/^unix:/.test(endpoint)) {
    const scheme = /^([a-zA-Z][\w+.-]*):/.exec(endpoint)?.[1] ?? '';
    const why = `unsupported scheme ${JSON.stringify(scheme)} for KMS provider, only unix is supported`;
    wrong('endpoint', endpoint, why);
  }
  if (apiVersion === 'v1') wrong('apiVersion', apiVersion, 'KMSv1 is deprecated and not there: use v2');
  else if (apiVersion !== 'v2') {
    wrong('apiVersion', apiVersion, 'unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported');
  } else if (cachesize !== undefined) wrong('cachesize', cachesize, 'cachesize is not supported in v2');
  if (problems.length > before) return undefined;
  return new KmsProvider(String(name), new KmsService(String(endpoint), timeoutMs), clock);
}

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** NaN for what is none. */
function durationMs(text: string): number {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return Number.NaN;
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * units[unit!]!,
    0,
  );
}
