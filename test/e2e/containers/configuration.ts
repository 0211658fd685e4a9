import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { eventually } from '../../lib/eventually.ts';
import type { Kubectl } from '../../lib/kubectl.ts';
import { type Cluster, podOf, shell } from './cluster.ts';

export function configurationTests(cluster: Cluster): void {
  describe('what a container is given', () => {
    let kubectl: Kubectl;
    before(() => {
      ({ kubectl } = cluster);
    });
    const { status, phase } = cluster;

    it('config maps and secrets as environment and files, live', async () => {
      await kubectl('create', 'configmap', 'settings', '--from-literal=color=red', '--from-literal=shape=round');
      await kubectl('create', 'secret', 'generic', 'password', '--from-literal=word=hidden');
      await kubectl.input(
        podOf(
          'configured',
          {
            volumes: [
              { name: 'settings', configMap: { name: 'settings' } },
              { name: 'password', secret: { secretName: 'password', defaultMode: 0o400 } },
              {
                name: 'about',
                downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] },
              },
            ],
            containers: [
              shell('main', 'sleep 100000', {
                env: [
                  { name: 'WORD', valueFrom: { secretKeyRef: { name: 'password', key: 'word' } } },
                  { name: 'ADDRESS', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
                  { name: 'BOTH', value: '$(WORD)-$(COLOR)' },
                ],
                envFrom: [{ configMapRef: { name: 'settings' } }],
                volumeMounts: [
                  { name: 'settings', mountPath: '/settings' },
                  { name: 'password', mountPath: '/password' },
                  { name: 'about', mountPath: '/about' },
                ],
              }),
            ],
          },
          { labels: { tier: 'test' } },
        ),
        'apply',
        '-f',
        '-',
      );
      await kubectl('wait', '--for=condition=Ready', 'pod/configured', '--timeout=120s');
      const environment = await kubectl('exec', 'configured', '--', 'env');
      assert.match(environment, /^color=red$/m);
      assert.match(environment, /^WORD=hidden$/m);
      assert.match(environment, /^ADDRESS=10\.\d+\.\d+\.\d+$/m);
      assert.equal(await kubectl('exec', 'configured', '--', 'cat', '/settings/color', '/password/word'), 'redhidden');
      assert.match(await kubectl('exec', 'configured', '--', 'stat', '-Lc', '%a', '/password/word'), /^400/);
      assert.match(await kubectl('exec', 'configured', '--', 'cat', '/about/labels'), /tier="test"/);
      await kubectl('patch', 'configmap', 'settings', '-p', '{"data":{"color":"blue"}}');
      await kubectl('label', 'pod', 'configured', 'tier=live', '--overwrite');
      await eventually(
        'the files follow',
        async () => (await kubectl('exec', 'configured', '--', 'cat', '/settings/color')) === 'blue',
      );
      await eventually('the labels file follows', async () =>
        (await kubectl('exec', 'configured', '--', 'cat', '/about/labels')).includes('tier="live"'),
      );
      await kubectl('delete', 'pod', 'configured', '--now');
    });

    it('limits memory: OOMKilled', async () => {
      await kubectl.input(
        podOf('greedy', {
          restartPolicy: 'Never',
          containers: [
            shell('main', 'x=a; while true; do x=$x$x; done', { resources: { limits: { memory: '32Mi' } } }),
          ],
        }),
        'apply',
        '-f',
        '-',
      );
      await phase('greedy', 'Failed');
      assert.equal(await status('greedy', 'containerStatuses[0].state.terminated.reason'), 'OOMKilled');
      assert.equal(await status('greedy', 'containerStatuses[0].state.terminated.exitCode'), '137');
      await kubectl('delete', 'pod', 'greedy');
    });

    it('runs as the user it is told, without privileges', async () => {
      await kubectl.input(
        podOf('bounded', {
          restartPolicy: 'Never',
          securityContext: { runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000 },
          containers: [
            shell('main', 'id; grep NoNewPrivs /proc/self/status; touch /x 2>&1; true', {
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
            }),
          ],
        }),
        'apply',
        '-f',
        '-',
      );
      await phase('bounded', 'Succeeded');
      const text = await kubectl('logs', 'bounded');
      assert.match(text, /uid=1000 gid=3000/);
      assert.match(text, /NoNewPrivs:\s+1/);
      assert.match(text, /Read-only file system|Permission denied/);
      await kubectl('delete', 'pod', 'bounded');
    });

    it('top pod shows what is used', async () => {
      await kubectl.input(
        podOf('busy', {
          containers: [shell('main', 'while true; do :; done', { resources: { limits: { cpu: '200m' } } })],
        }),
        'apply',
        '-f',
        '-',
      );
      await kubectl('wait', '--for=condition=Ready', 'pod/busy', '--timeout=120s');
      const line = await eventually('top pod has figures', async () => {
        const result = await kubectl.try('top', 'pod', 'busy');
        return /busy +([1-9]\d*)m +\d+Mi/.exec(result.stdout);
      });
      assert.ok(Number(line[1]) < 400, line[0]);
      await kubectl('delete', 'pod', 'busy', '--now');
    });
  });
}
