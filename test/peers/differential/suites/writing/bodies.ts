import type { Twin } from '../../twin.ts';
import { APPLY, configMap, JSON_PATCH, MERGE, STRATEGIC } from '../objects.ts';
import { poster } from './post.ts';

/** What is no object, or a broken one, to every verb that takes a body. */
export async function bodies(twin: Twin, maps: string, namespace: string): Promise<void> {
  const post = poster(twin, maps);
  for (const [label, body] of [
    ['nothing', ''],
    ['space', ' '],
    ['null', 'null'],
    ['array', '[]'],
    ['string', '"a"'],
    ['number', '1'],
    ['true', 'true'],
    ['empty object', '{}'],
    ['broken', '{'],
    ['trailing', '{"metadata":{"name":"x"}} x'],
    ['two objects', '{"metadata":{"name":"x"}}{}'],
    ['bad escape', '{"a":"\\x"}'],
    ['comma', '{"a":1,}'],
    ['no quotes', '{a:1}'],
    ['kind number', '{"kind":1}'],
    ['apiVersion list', '{"apiVersion":[]}'],
    ['another kind', '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}'],
    ['another version', '{"kind":"ConfigMap","apiVersion":"v2","metadata":{"name":"x"}}'],
    ['another group', '{"kind":"ConfigMap","apiVersion":"apps/v1","metadata":{"name":"x"}}'],
    ['unknown kind', '{"kind":"Thing","apiVersion":"v1","metadata":{"name":"x"}}'],
    ['kind only', '{"kind":"ConfigMap","metadata":{"name":"kind-only"}}'],
    ['version only', '{"apiVersion":"v1","metadata":{"name":"version-only"}}'],
    ['bad version', '{"kind":"ConfigMap","apiVersion":"a/b/c","metadata":{"name":"x"}}'],
    ['neither', '{"metadata":{"name":"neither"}}'],
    ['metadata text', '{"metadata":"x"}'],
    ['metadata list', '{"metadata":[]}'],
    ['metadata null', '{"metadata":null}'],
    ['data list', '{"metadata":{"name":"x"},"data":[]}'],
    ['data number', '{"metadata":{"name":"x"},"data":{"a":1}}'],
    ['data nested', '{"metadata":{"name":"x"},"data":{"a":{}}}'],
    ['labels number', '{"metadata":{"name":"x","labels":{"a":1}}}'],
    ['name number', '{"metadata":{"name":1}}'],
    ['time', '{"metadata":{"name":"x","creationTimestamp":"yesterday"}}'],
    ['time number', '{"metadata":{"name":"x","creationTimestamp":5}}'],
    ['immutable text', '{"metadata":{"name":"x"},"immutable":"yes"}'],
    ['binaryData', '{"metadata":{"name":"x"},"binaryData":{"a":"***"}}'],
    ['control characters', '{"metadata":{"name":"x"},"data":{"a":"\u0001"}}'],
    ['deep', '['.repeat(20000)],
    ['list kind', '{"kind":"ConfigMapList","apiVersion":"v1","items":[]}'],
    ['generation', '{"metadata":{"name":"generation","generation":7,"selfLink":"/x"}}'],
    ['uid', '{"metadata":{"name":"uid","uid":"00000000-0000-0000-0000-000000000000"}}'],
    ['resourceVersion', '{"metadata":{"name":"revision","resourceVersion":"5"}}'],
    ['resourceVersion 0', '{"metadata":{"name":"revision0","resourceVersion":"0"}}'],
    [
      'deletionTimestamp',
      '{"metadata":{"name":"gone","deletionTimestamp":"2020-01-01T00:00:00Z","deletionGracePeriodSeconds":5}}',
    ],
    ['invalid utf-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ] as [string, string | Buffer][]) {
    await post(`from ${label}`, body, '?dryRun=All');
    if (!Buffer.isBuffer(body) && body.length < 1000) {
      await post(`from ${label} yaml`, body, '?dryRun=All', 'application/yaml');
      await twin.ask(`update from ${label}`, { method: 'PUT', path: `${maps}/a?dryRun=All`, body });
      await twin.prepare({ method: 'POST', path: maps, body: configMap('del') });
      await twin.ask(`delete with ${label}`, { method: 'DELETE', path: `${maps}/del?dryRun=All`, body });
      await twin.ask(`merge ${label}`, { method: 'PATCH', path: `${maps}/a?dryRun=All`, body, type: MERGE });
      await twin.ask(`strategic ${label}`, { method: 'PATCH', path: `${maps}/a?dryRun=All`, body, type: STRATEGIC });
      await twin.ask(`json patch ${label}`, { method: 'PATCH', path: `${maps}/a?dryRun=All`, body, type: JSON_PATCH });
      await twin.ask(`apply ${label}`, {
        method: 'PATCH',
        path: `${maps}/a?dryRun=All&fieldManager=m`,
        body,
        type: APPLY,
      });
      await twin.ask(`create pod from ${label}`, {
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/pods?dryRun=All`,
        body,
      });
      await twin.ask(`create role from ${label}`, {
        method: 'POST',
        path: '/apis/rbac.authorization.k8s.io/v1/clusterroles?dryRun=All',
        body,
      });
    }
  }
}
