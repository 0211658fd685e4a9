import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { runAtOnce } from '../../base/steps.ts';
import { decodeObject } from '../decode/decode.ts';
import { schemaOf } from '../generated-schema.ts';
import { apiVersionOf, type KubeObject } from '../object.ts';
import { applyMergePatch } from '../patch/index.ts';
import { StatusError } from '../status.ts';
import {
  difference,
  equalSets,
  intersectionSteps,
  parseFieldSet,
  recursiveDifference,
  setOf,
  union,
} from './field-set.ts';
import {
  applyConfiguration,
  type Endpoint,
  encodeEntries,
  entriesOfScale,
  entriesOfScaled,
  type ManagedFieldsEntry,
  mergeTypeOf,
  onlyVersion,
  trackUpdate,
} from './index.ts';

interface Write {
  by: string;
  object?: KubeObject;
  /** Instead of the object: what is merged into the live one. */
  merge?: unknown;
  force?: boolean;
  create?: boolean;
  /** Sends the empty entry that clears all owners. */
  reset?: boolean;
}

const empty = {} as KubeObject;

function endpointOf(kind: string, apiVersion: string): Endpoint {
  const type = mergeTypeOf(schemaOf(kind)!);
  return { apiVersion, type, versions: onlyVersion(apiVersion, type), subresource: '', reset: setOf() };
}

function outcomeOf(live: KubeObject) {
  const { managedFields, ...metadata } = live.metadata ?? {};
  const managers = ((managedFields ?? []) as ManagedFieldsEntry[]).map(
    ({ manager, operation, time, fieldsV1 }) => `${operation} ${manager} ${time ?? '-'} ${JSON.stringify(fieldsV1)}`,
  );
  return { object: { ...live, metadata }, managers };
}

// Golden pairs: what is written one after the other (NAME.yaml), and what comes of it (NAME.golden.yaml).
// UPDATE_GOLDEN=1 writes the second. (The merge was also compared with structured-merge-diff v6.3.2 on 7,800 random
// sequences of applies and updates of Deployments: the same objects, sets, conflicts.)
const testdata = new URL('./testdata/', import.meta.url);

for (const file of readdirSync(testdata).filter((name) => !name.endsWith('.golden.yaml'))) {
  test(`merges as in ${file}`, () => {
    const { kind, steps } = parse(readFileSync(new URL(file, testdata), 'utf8')) as {
      kind: string;
      steps: { apply?: Write; update?: Write }[];
    };
    const [, version, name] = /\.(v\d+)\.(\w+)$/.exec(kind)!;
    const group = kind.includes('.core.') ? '' : kind.split('.')[3]!;
    const gvk = { group, version: version!, kind: name! };
    const endpoint = endpointOf(kind, apiVersionOf(gvk));
    let live: KubeObject | undefined;
    const outcomes = steps.map(({ apply, update }, index) => {
      const write = (apply ?? update)!;
      const now = `2026-01-01T00:00:0${index}Z`;
      const common = { endpoint, manager: write.by, live, empty, now };
      try {
        if (apply !== undefined) {
          const configuration = write.object!;
          live = applyConfiguration({ ...common, kind: gvk, configuration, force: write.force ?? false });
        } else {
          const object: KubeObject = write.object ?? applyMergePatch(live!, write.merge);
          const sent = write.reset === true ? [{}] : undefined;
          const written = { ...object, metadata: { ...object.metadata, managedFields: sent } } as KubeObject;
          const tracked = { ...common, live: write.create === true ? undefined : live, object: written };
          live = { ...written, metadata: { ...written.metadata, managedFields: trackUpdate(tracked) } } as KubeObject;
        }
        return outcomeOf(live);
      } catch (error) {
        assert.ok(error instanceof StatusError, String(error));
        const fields = error.details?.causes?.map((cause) => `${cause.message}: ${cause.field}`);
        return { refused: `${error.code} ${error.message}`, ...(fields !== undefined && { causes: fields }) };
      }
    });
    const golden = new URL(file.replace('.yaml', '.golden.yaml'), testdata);
    const plain = JSON.parse(JSON.stringify(outcomes));
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, stringify(plain, { lineWidth: 0 }));
    assert.deepEqual(plain, parse(readFileSync(golden, 'utf8')));
  });
}

describe('field sets', () => {
  const a = setOf(['f:a'], ['f:a', 'f:b'], ['f:c', 'k:{"name":"x"}']);
  it('unite, and give back what already holds all', () => {
    assert.equal(union(a, setOf(['f:a', 'f:b'])), a);
    assert.deepEqual(union(setOf(['f:a', 'f:b']), setOf(['f:a'])), { 'f:a': { '.': {}, 'f:b': {} } });
  });
  it('lose members, and children only where that is asked for', () => {
    assert.deepEqual(difference(a, setOf(['f:a'])), { 'f:a': { 'f:b': {} }, 'f:c': { 'k:{"name":"x"}': {} } });
    assert.deepEqual(recursiveDifference(a, setOf(['f:a'])), { 'f:c': { 'k:{"name":"x"}': {} } });
    assert.equal(difference(a, setOf(['f:other'])), a);
    assert.deepEqual(runAtOnce(intersectionSteps(a, setOf(['f:a'], ['f:c']))), { 'f:a': {} });
  });
  it('come in one order, however they were written', () => {
    const ports = ['k:{"port":443,"protocol":"TCP"}', 'k:{"protocol":"TCP", "port":80}', 'v:"x"', 'v:2', 'f:z', 'f:a'];
    const parsed = parseFieldSet(Object.fromEntries(ports.map((element) => [element, {}])));
    assert.deepEqual(Object.keys(parsed), [
      'f:a',
      'f:z',
      'k:{"port":80,"protocol":"TCP"}',
      'k:{"port":443,"protocol":"TCP"}',
      'v:2',
      'v:"x"',
    ]);
    assert.deepEqual(parseFieldSet({ 'f:a': { '.': {} }, 'x:unknown': {} }), { 'f:a': {} });
    assert.throws(() => parseFieldSet({ broken: {} }), /missing colon: broken/);
    assert.ok(equalSets(parseFieldSet({ 'f:b': {}, 'f:a': {} }), setOf(['f:a'], ['f:b'])));
  });
});

describe('managers', () => {
  const schema = schemaOf('io.k8s.api.core.v1.ConfigMap')!;
  const endpoint = endpointOf(schema.name, 'v1');
  const configMap = (data: object, managedFields?: unknown[]) =>
    ({ ...decodeObject(schema, { data }).object, metadata: { name: 'm', uid: 'u', managedFields } }) as KubeObject;
  const track = (manager: string, live: KubeObject | undefined, object: KubeObject, second: number) =>
    trackUpdate({
      endpoint,
      manager,
      live,
      object,
      empty,
      now: `2026-01-01T00:00:${String(second).padStart(2, '0')}Z`,
    });

  it('that only update are merged when there are more than ten', () => {
    let live: KubeObject | undefined;
    const data: Record<string, string> = {};
    for (let index = 0; index < 12; index++) {
      data[`k${index}`] = 'x';
      const object = configMap({ ...data });
      live = configMap({ ...data }, track(`m${index}`, live, object, index));
    }
    const entries = live!.metadata.managedFields as ManagedFieldsEntry[];
    assert.equal(entries.length, 10);
    const ancient = entries.find((entry) => entry.manager === 'ancient-changes')!;
    assert.deepEqual(Object.keys(ancient.fieldsV1!['f:data']!), ['.', 'f:k0', 'f:k1', 'f:k2']);
    assert.equal(ancient.time, '2026-01-01T00:00:02Z');
  });

  it('are left as they are when a write changes nothing', () => {
    const first = track('one', undefined, configMap({ a: 'b' }), 0);
    const live = configMap({ a: 'b' }, first);
    assert.equal(track('two', live, configMap({ a: 'b' }), 1), first);
  });

  it('are nobody until somebody applies, where an object has none', () => {
    assert.equal(track('one', configMap({ a: 'b' }), configMap({ a: 'c' }), 0), undefined);
    const kind = { group: '', version: 'v1', kind: 'ConfigMap' };
    const configuration = { apiVersion: 'v1', kind: 'ConfigMap', data: { a: 'z' } } as unknown as KubeObject;
    const live = configMap({ a: 'b' });
    const application = { endpoint, kind, empty, live, configuration, manager: 'me', now: 'now' };
    assert.throws(() => applyConfiguration({ ...application, force: false }), {
      message: 'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a',
    });
    assert.equal(applyConfiguration({ ...application, force: true })['data'].a, 'z');
  });

  it('keep their entries when a client sends broken ones', () => {
    const first = track('one', undefined, configMap({ a: 'b' }), 0);
    const broken = configMap({ a: 'b' }, [{ manager: 'x', operation: 'Steal', apiVersion: 'v1' }]);
    assert.equal(track('two', configMap({ a: 'b' }, first), broken, 1), first);
  });

  it('are written as JSON.stringify would', () => {
    const entries = track('one', undefined, configMap({ a: 'b', '"': '<' }), 0)!;
    assert.deepEqual(JSON.parse(encodeEntries(entries)), entries);
    assert.deepEqual(JSON.parse(encodeEntries([{}, ...entries])), [{}, ...entries]);
  });

  it('of pods that differ in their addresses are each their own', () => {
    const schema = schemaOf('io.k8s.api.core.v1.Pod')!;
    const reset = setOf(['f:spec']);
    const type = mergeTypeOf(schema);
    const ofStatus = { apiVersion: 'v1', type, versions: onlyVersion('v1', type), subresource: 'status', reset };
    const pod = (status: object, managedFields?: ManagedFieldsEntry[]) =>
      ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'a', ...(managedFields && { managedFields }) },
        status,
      }) as any;
    const others = [
      { manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: setOf(['f:spec']) },
    ];
    const statusOf = (ip: string) => ({ phase: 'Running', podIP: ip, podIPs: [{ ip }], hostIPs: [{ ip: '10.0.0.1' }] });
    const setOfStatus = (before: object, after: object, live: ManagedFieldsEntry[] = others) => {
      const update = { endpoint: ofStatus, manager: 'kubelet', empty: pod({}), now: 'now' };
      const entries = trackUpdate({ ...update, live: pod(before, live), object: pod(after, live) })!;
      return { entries, set: entries.find(({ manager }) => manager === 'kubelet')?.fieldsV1?.['f:status'] };
    };
    for (const ip of ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.0.0.1', 'fd00::1']) {
      const { entries, set } = setOfStatus({ phase: 'Pending' }, statusOf(ip));
      assert.deepEqual(Object.keys(set!), ['f:hostIPs', 'f:phase', 'f:podIP', 'f:podIPs']);
      assert.deepEqual(set!['f:podIPs'], { '.': {}, [`k:{"ip":"${ip}"}`]: { '.': {}, 'f:ip': {} } });
      const gone = setOfStatus(statusOf(ip), { phase: 'Failed' }, entries);
      assert.deepEqual(gone.set, { 'f:phase': {} });
      const moved = setOfStatus(statusOf(ip), statusOf('10.9.9.9'), entries);
      assert.deepEqual(moved.set!['f:podIPs'], { '.': {}, 'k:{"ip":"10.9.9.9"}': { '.': {}, 'f:ip': {} } });
      const both = { ...statusOf(ip), podIPs: [{ ip }, { ip: 'fd00::2' }] };
      const second = setOfStatus(statusOf(ip), both, entries);
      assert.deepEqual(Object.keys(second.set!['f:podIPs']!), ['.', `k:{"ip":"${ip}"}`, 'k:{"ip":"fd00::2"}']);
    }
  });

  it('of a scale are those of the replicas', () => {
    const replicas = ['f:spec', 'f:replicas'];
    const owner = (manager: string, fieldsV1: object, more: object = {}) =>
      ({
        manager,
        operation: 'Update',
        apiVersion: 'apps/v1',
        fieldsType: 'FieldsV1',
        fieldsV1,
        ...more,
      }) as ManagedFieldsEntry;
    const workload = [
      owner('labels', { 'f:metadata': { 'f:labels': {} } }),
      owner('me', { 'f:spec': { 'f:paused': {}, 'f:replicas': {} } }, { time: '2026-01-01T00:00:00Z' }),
    ];
    const scale = entriesOfScale(workload, 'apps/v1', replicas)!;
    assert.deepEqual(scale, [{ ...workload[1], apiVersion: 'autoscaling/v1', fieldsV1: setOf(replicas) }]);
    assert.equal(entriesOfScaled(workload, scale, 'apps/v1', replicas), workload);
    const scaler = { ...scale[0], manager: 'scaler', subresource: 'scale' } as ManagedFieldsEntry;
    assert.deepEqual(entriesOfScaled(workload, [scaler], 'apps/v1', replicas), [
      workload[0],
      owner('scaler', { 'f:spec': { 'f:replicas': {} } }, { subresource: 'scale' }),
      owner('me', { 'f:spec': { 'f:paused': {} } }, { time: '2026-01-01T00:00:00Z' }),
    ]);
  });
});
