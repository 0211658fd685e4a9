import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../../api/object.ts';
import type { WatchEvent } from '../../api/transport.ts';
import { until } from '../../base/testing/until.ts';
import { configMaps, pod, pods, refusal, root, serverOfSuite } from '../testing/in-process-caller.ts';

describe('lists and watches', { timeout: 60_000 }, () => {
  const { send, get, post, started } = serverOfSuite();

  it('lists in pages that together are the whole, as of one revision', async () => {
    for (let index = 0; index < 25; index++)
      await post(configMaps, { metadata: { name: `page-${index}`, labels: { page: 'x' } } });
    const names: string[] = [];
    let token: string | undefined;
    let revision: string | undefined;
    do {
      const query: Record<string, string> = {
        limit: '10',
        labelSelector: 'page=x',
        ...(token !== undefined && { continue: token }),
      };
      const page = await get(configMaps, query);
      names.push(...page.items.map((item: KubeObject) => item.metadata.name));
      revision ??= page.metadata.resourceVersion;
      assert.equal(page.metadata.resourceVersion, revision);
      token = page.metadata.continue;
      if (names.length === 10) await post(configMaps, { metadata: { name: 'page-late', labels: { page: 'x' } } });
    } while (token !== undefined);
    assert.equal(names.filter((name) => name !== 'page-late').length, 25);
    assert.equal(new Set(names).size, names.length);
    assert.ok(!names.includes('page-late'), 'a later page shows a later state');
  });

  it('selects by labels and fields', async () => {
    await post(pods, pod('on-node', { nodeName: 'n1' }));
    await post(pods, pod('off-node'));
    const named = async (query: Record<string, string>) =>
      (await get(pods, query)).items.map((item: KubeObject) => item.metadata.name);
    assert.deepEqual(await named({ fieldSelector: 'spec.nodeName=n1' }), ['on-node']);
    assert.deepEqual(await named({ fieldSelector: 'metadata.name=off-node' }), ['off-node']);
    const error = await refusal(get(pods, { fieldSelector: 'spec.color=red' }));
    assert.equal(error.code, 400);
    assert.equal(error.message, 'field label not supported: spec.color');
  });

  it('watches from a revision without a gap, and with a selector', async () => {
    const start = await get(configMaps);
    const seen: WatchEvent[] = [];
    const abort = new AbortController();
    const watching = started().transport.watch({
      path: configMaps,
      query: { resourceVersion: start.metadata.resourceVersion, labelSelector: 'watch=x' },
      signal: abort.signal,
      onEvents: (events) => seen.push(...events),
    });
    await post(configMaps, { metadata: { name: 'watched', labels: { watch: 'x' } } });
    await post(configMaps, { metadata: { name: 'unwatched' } });
    const patch = { contentType: 'application/merge-patch+json' };
    await send('PATCH', `${configMaps}/watched`, { data: { a: 'b' } }, patch);
    await send('PATCH', `${configMaps}/watched`, { metadata: { labels: { watch: 'y' } } }, patch);
    await send('PATCH', `${configMaps}/watched`, { metadata: { labels: { watch: 'x' } } }, patch);
    await send('DELETE', `${configMaps}/watched`);
    await until(() => seen.length >= 5);
    assert.deepEqual(
      seen.map(({ type }) => type),
      ['ADDED', 'MODIFIED', 'DELETED', 'ADDED', 'DELETED'],
    );
    const revisions = seen.map(({ object }) => Number(object.metadata.resourceVersion));
    assert.deepEqual(
      revisions,
      [...revisions].sort((x, y) => x - y),
    );
    abort.abort();
    await watching;
  });

  it('streams a list: initial events, then a bookmark that ends them', async () => {
    const seen: WatchEvent[] = [];
    const abort = new AbortController();
    const watching = started().transport.watch({
      path: `${root}/namespaces`,
      query: { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: 'true' },
      signal: abort.signal,
      onEvents: (events) => seen.push(...events),
    });
    await until(() => seen.some(({ type }) => type === 'BOOKMARK'));
    assert.equal(seen.at(-1)!.object.metadata.annotations?.['k8s.io/initial-events-end'], 'true');
    assert.ok(seen.some(({ object }) => object.metadata.name === 'default'));
    abort.abort();
    await watching;
  });

  it('refuses the export that was taken away', async () => {
    await post(configMaps, { metadata: { name: 'exported' } });
    const refused = await refusal(get(`${configMaps}/exported`, { export: 'true' }));
    assert.equal(refused.message, 'the export parameter, deprecated since v1.14, is no longer supported');
    await get(`${configMaps}/exported`, { export: 'false' });
  });

  it('shows what another API keeps, in its own form', async () => {
    const events = '/clusters/a/apis/events.k8s.io/v1/namespaces/default/events';
    const regarding = { kind: 'Pod', name: 'p', namespace: 'default' };
    const created = await post(events, {
      metadata: { name: 'e' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'c',
      reportingInstance: 'i',
      action: 'Run',
      reason: 'Started',
      regarding,
      note: 'it runs',
      type: 'Normal',
    });
    assert.equal(created.apiVersion, 'events.k8s.io/v1');
    assert.equal(created.note, 'it runs');
    const core = await get(`${root}/namespaces/default/events/e`);
    assert.equal(core.apiVersion, 'v1');
    assert.equal(core.message, 'it runs');
    assert.equal(core.involvedObject.name, 'p');
    const list = await get(events, { fieldSelector: 'regarding.name=p' });
    assert.equal(list.items[0].note, 'it runs');
    const patch = { contentType: 'application/merge-patch+json' };
    const patched = await send(
      'PATCH',
      `${events}/e`,
      { series: { count: 2, lastObservedTime: created.eventTime } },
      patch,
    );
    assert.equal(patched.series.count, 2);
  });
});
