import assert from 'node:assert/strict';
import { request } from 'node:https';
import { before, describe, it } from 'node:test';
import { eventually } from '../../lib/eventually.ts';
import { image } from '../../lib/images.ts';
import type { Kubectl } from '../../lib/kubectl.ts';
import { type Cluster, podOf, shell } from './cluster.ts';

export function networkTests(cluster: Cluster): void {
  describe('the network of a tenant', () => {
    let kubectl: Kubectl;
    before(() => {
      ({ kubectl } = cluster);
    });

    it('a deployment of nginx behind a service answers by name, spread over its pods', async () => {
      await kubectl('create', 'deployment', 'site', `--image=${image('web-echo')}`, '--replicas=2');
      await kubectl('expose', 'deployment', 'site', '--port=80', '--target-port=8080');
      await kubectl('rollout', 'status', 'deployment/site', '--timeout=180s');
      await eventually(
        'two endpoints',
        async () =>
          (
            await kubectl(
              'get',
              'endpointslices',
              '-l',
              'kubernetes.io/service-name=site',
              '-o',
              'jsonpath={.items[*].endpoints[*].addresses[0]}',
            )
          ).split(' ').length === 2,
      );
      await kubectl.input(podOf('client', { containers: [shell('main', 'sleep 100000')] }), 'apply', '-f', '-');
      await kubectl('wait', '--for=condition=Ready', 'pod/client', '--timeout=120s');
      const answers = new Set<string>();
      await eventually('both pods answer through the service', async () => {
        const answer = await kubectl.try('exec', 'client', '--', 'wget', '-qO-', 'http://site/');
        const host = /site-[a-z0-9]+-[a-z0-9]+/.exec(answer.stdout)?.[0];
        if (host !== undefined) answers.add(host);
        return answers.size === 2;
      });
      assert.match(
        await kubectl('exec', 'client', '--', 'nslookup', 'site.default.svc.cluster.local'),
        /Address.*: 10\.\d+\.\d+\.\d+/,
      );
      assert.match(
        await kubectl('exec', 'client', '--', 'env'),
        /SITE_SERVICE_HOST=10\.|KUBERNETES_SERVICE_HOST=10\.96\.0\.1/,
      );
    });

    it('a service account token is mounted, valid, and reaches the API from inside', async () => {
      await kubectl.input(podOf('inside', { containers: [shell('main', 'sleep 100000')] }), 'apply', '-f', '-');
      await kubectl('wait', '--for=condition=Ready', 'pod/inside', '--timeout=120s');
      assert.match(
        await kubectl('exec', 'inside', '--', 'ls', '/var/run/secrets/kubernetes.io/serviceaccount'),
        /ca\.crt\nnamespace\ntoken/,
      );
      const token = await kubectl('exec', 'inside', '--', 'cat', '/var/run/secrets/kubernetes.io/serviceaccount/token');
      const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
      assert.equal(claims.sub, 'system:serviceaccount:default:default');
      assert.equal(claims['kubernetes.io'].pod.name, 'inside');
      const ask = async () =>
        (await fetchInsecure(`${cluster.skypod.url}/api/v1/namespaces/default/pods/inside`, token)).status;
      assert.equal(await ask(), 403, 'the token is known, and nothing was granted to it');
      await kubectl('create', 'rolebinding', 'inside', '--clusterrole=view', '--serviceaccount=default:default');
      await eventually('the granted role counts', async () => (await ask()) === 200);
      const port = await kubectl.try('exec', 'inside', '--', 'nc', '-w', '5', '10.96.0.1', '443');
      assert.equal(port.code, 0, port.stderr);
    });

    it('two tenants with the same names and addresses cannot reach each other', async () => {
      const { skypod } = cluster;
      await skypod.run('tenant', 'create', 'left');
      await skypod.run('tenant', 'create', 'right');
      const left = skypod.kubectlOf('left');
      const right = skypod.kubectlOf('right');
      for (const [own, text] of [
        [left, 'left'],
        [right, 'right'],
      ] as const) {
        await own.input(
          podOf(
            'server',
            {
              terminationGracePeriodSeconds: 1,
              containers: [
                shell('main', `mkdir /www; echo ${text} > /www/index.html; exec busybox httpd -f -p 8080 -h /www`),
              ],
            },
            { labels: { app: 'server' } },
          ),
          'apply',
          '-f',
          '-',
        );
        await own('expose', 'pod', 'server', '--name=web', '--port=80', '--target-port=8080');
        await own('wait', '--for=condition=Ready', 'pod/server', '--timeout=120s');
        const answer = await eventually(`${text} reaches its own server`, async () => {
          const result = await own.try('exec', 'server', '--', 'wget', '-qO-', 'http://web/');
          return result.code === 0 && result.stdout;
        });
        assert.equal(answer, `${text}\n`);
      }
      // Only left's pod runs there now: right's address answers nobody but right.
      await left.input(
        podOf('extra', {
          terminationGracePeriodSeconds: 1,
          containers: [
            shell('main', 'mkdir /www; echo extra > /www/index.html; exec busybox httpd -f -p 8081 -h /www'),
          ],
        }),
        'apply',
        '-f',
        '-',
      );
      await left('wait', '--for=condition=Ready', 'pod/extra', '--timeout=120s');
      const address = await left('get', 'pod', 'extra', '-o', 'jsonpath={.status.podIP}');
      assert.equal(await left('exec', 'server', '--', 'wget', '-qO-', `http://${address}:8081/`), 'extra\n');
      const crossed = await right.try(
        'exec',
        'server',
        '--',
        'timeout',
        '5',
        'wget',
        '-qO-',
        `http://${address}:8081/`,
      );
      assert.notEqual(crossed.code, 0, crossed.stdout);
      for (const tenant of ['left', 'right']) await skypod.run('tenant', 'delete', tenant);
    });
  });
}

async function fetchInsecure(url: string, token: string): Promise<{ status: number }> {
  return new Promise((resolve, reject) => {
    request(url, { rejectUnauthorized: false, headers: { authorization: `Bearer ${token}` } }, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0 });
    })
      .on('error', reject)
      .end();
  });
}
