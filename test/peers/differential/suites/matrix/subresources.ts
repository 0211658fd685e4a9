import type { Twin } from '../../twin.ts';
import { APPLY, JSON_PATCH, MERGE, PARTIAL, PROTOBUF, STRATEGIC, TABLE } from '../objects.ts';
import { Several } from '../several.ts';
import { chosen, outcome, type Subject } from './subject.ts';

/** Every part of an object that has a path of its own, by every verb. */
export async function subresources(twin: Twin, subject: Subject, names: string[]): Promise<void> {
  const { label, one, object } = subject;
  const several = new Several();
  const shown = (await twin.prepare({ path: one }, [200])) as { kubernetes: any; skypod: any };
  for (const name of names) {
    const path = `${one}/${name}`;
    const missing = `${one}-none/${name}`;
    const ask = (what: string, request: Parameters<Twin['ask']>[1]) =>
      several.start(twin.ask(`${label}/${name} ${what}`, request, { reduce: outcome, replace: chosen! }));
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
      const body = method === 'POST' || method === 'PUT' ? { body: {} } : {};
      await ask(`${method}`, { method, path: `${path}?dryRun=All`, ...body });
      await ask(`${method} of nothing`, { method, path: `${missing}?dryRun=All`, ...body });
    }
    for (const accept of [TABLE, PARTIAL, 'application/yaml', 'text/html']) await ask(`as ${accept}`, { path, accept });
    await several.start(twin.ask(`${label}/${name} protobuf`, { path, accept: PROTOBUF }, { bodyIgnored: true }));
    const part = (await twin.prepare({ path }, [200, 400, 403, 404, 405, 500])) as any;
    const whole = (side: { name: 'kubernetes' | 'skypod' }) =>
      part[side.name].status === 200 ? part[side.name].json : shown[side.name].json;
    await ask('as it is', (side) => ({ method: 'PUT', path: `${path}?dryRun=All`, body: whole(side) }));
    await ask('at an old revision', (side) => ({
      method: 'PUT',
      path: `${path}?dryRun=All`,
      body: { ...whole(side), metadata: { ...whole(side)?.metadata, resourceVersion: '1' } },
    }));
    await ask('of another name', (side) => ({
      method: 'PUT',
      path: `${path}?dryRun=All`,
      body: { ...whole(side), metadata: { ...whole(side)?.metadata, name: 'other' } },
    }));
    await ask('of another kind', { method: 'PUT', path: `${path}?dryRun=All`, body: { ...object, kind: 'Other' } });
    for (const validation of ['Strict', 'Warn'])
      await ask(`unknown ${validation}`, (side) => ({
        method: 'PUT',
        path: `${path}?dryRun=All&fieldValidation=${validation}`,
        body: { ...whole(side), unknownField: 1 },
      }));
    for (const [what, body] of Object.entries(changes(object))) {
      for (const type of [MERGE, STRATEGIC])
        await ask(`${type} ${what}`, { method: 'PATCH', path: `${path}?dryRun=All`, type, body });
      const identity = { apiVersion: object.apiVersion, kind: object.kind };
      const applied = { ...identity, ...body, metadata: { ...(body as any).metadata, name: object.metadata.name } };
      const query = 'dryRun=All&fieldManager=applier&force=true';
      await ask(`applied ${what}`, { method: 'PATCH', path: `${path}?${query}`, type: APPLY, body: applied });
    }
    for (const operations of [[], [{ op: 'test', path: '/kind', value: 'x' }], [{ op: 'add', path: '/x', value: 1 }]])
      await ask(`${JSON_PATCH} ${JSON.stringify(operations)}`, {
        method: 'PATCH',
        path: `${path}?dryRun=All`,
        type: JSON_PATCH,
        body: operations,
      });
    await ask('merged of nothing', { method: 'PATCH', path: missing, type: MERGE, body: {} });
    await ask('merged by no manager', {
      method: 'PATCH',
      path: `${path}?fieldManager=${'m'.repeat(129)}`,
      type: MERGE,
      body: {},
    });
    await ask('applied by none', { method: 'PATCH', path: `${path}?dryRun=All`, type: APPLY, body: object });
  }
  await several.end();
}

const changes = (object: any): Record<string, object> => ({
  nothing: {},
  'its status': { status: object.status ?? {} },
  'an empty status': { status: null },
  'a wrong status': { status: 'x' },
  'its spec': { spec: object.spec ?? {} },
  'an empty spec': { spec: null },
  'an unknown field': { spec: { unknownField: 1 }, status: { unknownField: 1 } },
  replicas: { spec: { replicas: 7 } },
  'too few replicas': { spec: { replicas: -1 } },
  'replicas in words': { spec: { replicas: 'many' } },
  labels: { metadata: { labels: { added: 'yes' }, annotations: { added: 'yes' } } },
  'an old revision': { metadata: { resourceVersion: '1' } },
  'another uid': { metadata: { uid: '00000000-0000-0000-0000-000000000000' } },
  finalizers: { metadata: { finalizers: ['example.com/x'] } },
});
