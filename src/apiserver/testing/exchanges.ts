import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH } from '../../api/patch/media-types.ts';
import type { Answer, Ask } from './ask.ts';
import { comparable, goldenDirectory } from './golden.ts';

/**
 * Requests in their order, as people write them, and what a server answers. The lists are `golden/exchanges/*.yaml`,
 * kube-apiserver's answers stand beside them.
 */
export interface Exchange {
  /** `PUT /api/v1/namespaces/default/pods/a/status` */
  do: string;
  /** JSON unless `as` says otherwise; a string goes out as it stands. */
  body?: any;
  /** The content type, or `json` `merge` `strategic` `apply` for the patches. */
  as?: string;
}

/** One line of a recorded file. */
export interface Recorded {
  code: number;
  warnings?: string[];
  /** Of a refusal. */
  reason?: string;
  message?: string;
  details?: unknown;
  /** Of anything else: what the answer says beyond what was sent or was there before. */
  differs?: unknown;
}

export const exchangeDirectory = new URL('exchanges/', goldenDirectory);

export const exchangeLists = (): { label: string; exchanges: Exchange[] }[] =>
  readdirSync(exchangeDirectory)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => ({
      label: file.slice(0, -'.yaml'.length),
      exchanges: parse(readFileSync(new URL(file, exchangeDirectory), 'utf8')),
    }));

const contentTypes: Record<string, string> = {
  json: JSON_PATCH,
  merge: MERGE_PATCH,
  strategic: STRATEGIC_MERGE_PATCH,
  apply: APPLY_PATCH,
  yaml: 'application/yaml',
};

/** Has a server answer them one after the other, and takes away what they made. */
export async function exchange(exchanges: Exchange[], send: Ask): Promise<Recorded[]> {
  const answers: Recorded[] = [];
  const states = new Map<string, unknown>();
  const made: string[] = [];
  for (const { do: line, body, as } of exchanges) {
    const [method, path] = line.split(' ') as [string, string];
    const answer = await send(method, path, body, as === undefined ? undefined : (contentTypes[as] ?? as));
    const plainPath = path.split('?')[0]!;
    const isDryRun = path.includes('dryRun=');
    const isNew = method === 'POST' && answer.code === 201 && typeof answer.body?.metadata?.name === 'string';
    const place = isNew ? `${plainPath}/${answer.body.metadata.name}` : plainPath;
    if (isNew && !isDryRun) made.push(place);
    const parent = place.replace(/\/(status|scale|approval|resize|ephemeralcontainers)$/, '');
    const before = place.endsWith('/scale') ? states.get(place) : states.get(parent);
    const sent = typeof body === 'object' && !['json', 'merge', 'strategic'].includes(as ?? '') ? body : undefined;
    answers.push(recordedOf(answer, typeof body === 'string' ? body : JSON.stringify(body ?? ''), before ?? sent));
    if (answer.code < 300 && !isDryRun && method !== 'DELETE' && (method !== 'POST' || isNew)) {
      states.set(place.endsWith('/scale') ? place : parent, plain(answer.body, ''));
    }
  }
  for (const path of made.reverse()) await remove(path, send);
  return answers;
}

async function remove(path: string, send: Ask): Promise<void> {
  const { code, body } = await send('GET', path);
  if (code !== 200) return;
  if (body.metadata.finalizers?.length > 0) {
    await send('PATCH', path, { metadata: { finalizers: null } }, contentTypes['merge']);
  }
  await send('DELETE', `${path}?gracePeriodSeconds=0&propagationPolicy=Background`);
  // Nobody else ends a namespace where no controllers run.
  if (path.startsWith('/api/v1/namespaces/') && path.split('/').length === 5) {
    await send('PUT', `${path}/finalize`, { ...body, spec: {} });
  }
}

function recordedOf({ code, body, warnings }: Answer, sent: string, before: unknown): Recorded {
  const recorded: Recorded = { code, ...(warnings.length > 0 && { warnings }) };
  if (code < 300) {
    const differs = difference(before ?? {}, plain(body, sent));
    return differs === undefined ? recorded : { ...recorded, differs };
  }
  if (typeof body !== 'object') return { ...recorded, message: String(body) };
  const { reason, message, details } = body;
  const causes: any[] | undefined = details?.causes;
  const { uid: _uid, causes: _causes, ...others } = details ?? {};
  // Many findings: their order is that of Go's maps here and there.
  const found = causes?.map(({ reason: why, field, message: what }) => `${why} ${field}: ${what}`);
  // One that is told twice is one.
  const single = found === undefined || new Set(found).size < 2;
  const hide = (text: string) => (sent.includes('generateName') ? text : withoutChosen(text, sent));
  const told = comparable([message]).map(hide)[0];
  return {
    ...recorded,
    ...(reason !== undefined && { reason }),
    ...(single && { message: told }),
    details: { ...others, ...(found !== undefined && { causes: comparable(found).map(hide) }) },
  };
}

const timePattern = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;
const uidPattern = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
/** Of services, by either server's range. */
const addressPattern = /\b10\.(9[6-9]|10\d|11[01])\.\d+\.\d+\b/g;

const withoutChosen = (text: string, sent: string): string =>
  text.replace(addressPattern, (address) => (sent.includes(address) ? address : 'ADDRESS'));

/** Without what differs at every try: times, uids, addresses, ports and suffixes that nobody asked for. */
function plain(body: any, sent: string): unknown {
  const unlessSent = (name: string) => (text: string) => (sent.includes(text) ? text : name);
  const walk = (value: any, key: string): any => {
    if (typeof value === 'string') {
      return value
        .replace(timePattern, unlessSent('TIME'))
        .replace(uidPattern, unlessSent('UID'))
        .replace(addressPattern, unlessSent('ADDRESS'))
        .replace(/X509SHA256=[0-9a-f]{64}/, 'CREDENTIAL')
        .replace(/^kube-api-access-[a-z0-9]{5}$/, 'kube-api-access');
    }
    if (key === 'nodePort' || key === 'healthCheckNodePort') return sent.includes(String(value)) ? value : 'PORT';
    // Where Go writes null for a list, ours is empty: see decode.ts.
    if (Array.isArray(value)) return value.length === 0 ? null : value.map((item) => walk(item, ''));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, walk(item, name)]));
  };
  if (typeof body !== 'object' || body === null) return body;
  const copy = walk(body, '');
  if (copy.metadata === undefined) return copy;
  const { uid: _u, resourceVersion: _r, creationTimestamp: _c, managedFields: _m, ...metadata } = copy.metadata;
  if (metadata.generateName && metadata.name?.startsWith(metadata.generateName)) metadata.name = 'GENERATED';
  return { ...copy, metadata };
}

/** What `got` says otherwise than `before`; undefined: nothing. */
function difference(before: any, got: any): unknown {
  if (typeof before !== typeof got || typeof got !== 'object' || before === null || got === null) {
    return before === got ? undefined : got;
  }
  if (Array.isArray(before) !== Array.isArray(got)) return got;
  if (Array.isArray(got) && got.length !== before.length) return got;
  const differs: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(got)])) {
    // Which is left out says nothing of the kind.
    if (before[key] === undefined && got[key] === undefined) continue;
    if (got[key] === undefined) {
      differs[key] = '(gone)';
      continue;
    }
    const inner = before[key] === undefined ? got[key] : difference(before[key], got[key]);
    if (inner !== undefined) differs[key] = inner;
  }
  return Object.keys(differs).length === 0 ? undefined : differs;
}

/** How a difference is named in differences.txt. */
export const nameOfExchange = (label: string, index: number, { do: line }: Exchange): string =>
  `${label}[${index}] ${line}`;
