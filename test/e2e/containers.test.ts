import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../lib/eventually.ts';
import { image, type TestImages, testImages } from '../lib/images.ts';
import { everyKubectl, type Kubectl, kubectlWith } from '../lib/kubectl.ts';
import { freePort, isRoot, type Skypod, startSkypod } from '../lib/skypod.ts';

const podOf = (name: string, spec: object, metadata: object = {}) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, ...metadata }, spec });
const shell = (name: string, script: string, more: object = {}) => ({
  name,
  image: image('busybox'),
  command: ['/bin/sh', '-c', script],
  ...more,
});

/** Real containers in containerd, driven by real kubectl. */
describe('skypod up --runtime containerd', { skip: isRoot ? false : 'containers need root' }, () => {
  let images: TestImages;
  let skypod: Skypod;
  let kubectl: Kubectl;
  const scratch = mkdtempSync(join(tmpdir(), 'skypod-e2e-'));

  before(async () => {
    images = await testImages();
    skypod = await startSkypod({ runtime: 'containerd' });
    kubectl = skypod.kubectl;
  });
  after(async () => {
    rmSync(scratch, { recursive: true, force: true });
    await skypod?.destroy();
    await images?.release();
  });

  const status = (pod: string, path: string) => kubectl('get', 'pod', pod, '-o', `jsonpath={.status.${path}}`);
  const phase = (pod: string, wanted: string) =>
    eventually(`pod ${pod} is ${wanted}`, async () => (await status(pod, 'phase')) === wanted);
  const waiting = (pod: string, reason: string) =>
    eventually(
      `pod ${pod} waits: ${reason}`,
      async () => (await status(pod, 'containerStatuses[0].state.waiting.reason')) === reason,
    );

  for (const { version, path } of everyKubectl()) {
    describe(`kubectl ${version}`, () => {
      const name = `tool-${version.replace(/[^0-9]+/g, '-').replace(/^-|-$/g, '')}`;
      let own: Kubectl;
      before(async () => {
        own = kubectlWith(path, join(skypod.dataDir, 'kubeconfig'));
        await own.input(
          podOf(name, {
            containers: [shell('main', 'echo started; trap "exit 0" TERM; while true; do sleep 0.2; done')],
          }),
          'apply',
          '-f',
          '-',
        );
        await own('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=120s');
      });
      after(async () => {
        await own?.('delete', 'pod', name, '--now', '--ignore-not-found');
      });

      it('logs and logs -f', async () => {
        assert.equal(await own('logs', name), 'started\n');
        const follow = own.start('logs', '-f', name);
        let text = '';
        follow.stdout.on('data', (chunk) => (text += chunk));
        await own('exec', name, '--', 'sh', '-c', 'echo later > /proc/1/fd/1');
        await eventually('the followed log shows the later line', () => text === 'started\nlater\n');
        follow.kill();
        await once(follow, 'exit');
      });

      it('exec: output, errors, exit codes and standard input', async () => {
        assert.equal(await own('exec', name, '--', 'echo', 'hello'), 'hello\n');
        const failed = await own.try('exec', name, '--', 'sh', '-c', 'echo oops >&2; exit 3');
        assert.equal(failed.code, 3);
        assert.match(failed.stderr, /oops/);
        assert.equal(await own.input('to upper', 'exec', '-i', name, '--', 'tr', 'a-z', 'A-Z'), 'TO UPPER');
        const missing = await own.try('exec', name, '--', 'no-such-command');
        assert.notEqual(missing.code, 0);
      });

      it('exec -it has a terminal', async () => {
        const command = `${own.path} --kubeconfig ${own.kubeconfig} exec -it ${name} -- sh -c 'stty size >/dev/null 2>&1; test -t 0 && echo is-a-terminal'`;
        const { runCommand } = await import('../lib/skypod.ts');
        const result = await runCommand('script', ['-qec', command, '/dev/null']);
        assert.match(result.stdout, /is-a-terminal/);
      });

      it('cp there and back', async () => {
        const content = Buffer.alloc(3_000_000, 'skypod ');
        writeFileSync(join(scratch, 'there'), content);
        await own('cp', join(scratch, 'there'), `${name}:/tmp/there`);
        await own('cp', `${name}:/tmp/there`, join(scratch, 'back'));
        assert.ok(readFileSync(join(scratch, 'back')).equals(content));
      });

      it('attach sees what the container writes', async () => {
        const attach = own.start('attach', name);
        let text = '';
        attach.stdout.on('data', (chunk) => (text += chunk));
        await eventually(
          'the attached terminal shows the line',
          async () => {
            await own('exec', name, '--', 'sh', '-c', 'echo attached > /proc/1/fd/1');
            return text.includes('attached');
          },
          { intervalMs: 300 },
        );
        attach.kill();
        await once(attach, 'exit');
      });

      it('port-forward', async () => {
        await own(
          'exec',
          name,
          '--',
          'sh',
          '-c',
          'mkdir -p /tmp/www; echo forwarded > /tmp/www/index.html; busybox httpd -p 8080 -h /tmp/www',
        );
        const port = await freePort();
        const forward = own.start('port-forward', `pod/${name}`, `${port}:8080`);
        let text = '';
        forward.stdout.on('data', (chunk) => (text += chunk));
        await eventually('port-forward listens', () => text.includes('Forwarding from'));
        for (let turn = 0; turn < 3; turn++) assert.equal(await httpGet(`http://127.0.0.1:${port}/`), 'forwarded\n');
        forward.kill();
        await once(forward, 'exit');
      });

      it('run --rm -i', async () => {
        const result = await own.input(
          'once\n',
          'run',
          `${name}-once`,
          '--rm',
          '-i',
          '--restart=Never',
          `--image=${image('busybox')}`,
          '--',
          'cat',
        );
        assert.match(result, /once/);
        assert.match((await own.try('get', 'pod', `${name}-once`)).stderr, /NotFound/);
      });
    });
  }

  it('get -w shows a pod come and go', async () => {
    const watch = kubectl.start('get', 'pods', '-w', '-l', 'watched=yes');
    let text = '';
    watch.stdout.on('data', (chunk) => (text += chunk));
    await kubectl.input(
      podOf(
        'watched',
        { terminationGracePeriodSeconds: 1, containers: [shell('main', 'sleep 1000')] },
        { labels: { watched: 'yes' } },
      ),
      'apply',
      '-f',
      '-',
    );
    await phase('watched', 'Running');
    await kubectl('delete', 'pod', 'watched');
    await eventually('the watch shows the states', () =>
      /Pending.*ContainerCreating.*Running.*Terminating/s.test(text),
    );
    watch.kill();
    await once(watch, 'exit');
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
    const ask = async () => (await fetchInsecure(`${skypod.url}/api/v1/namespaces/default/pods/inside`, token)).status;
    assert.equal(await ask(), 403, 'the token is known, and nothing was granted to it');
    await kubectl('create', 'rolebinding', 'inside', '--clusterrole=view', '--serviceaccount=default:default');
    await eventually('the granted role counts', async () => (await ask()) === 200);
    const port = await kubectl.try('exec', 'inside', '--', 'nc', '-w', '5', '10.96.0.1', '443');
    assert.equal(port.code, 0, port.stderr);
  });

  it('restarts what fails, with back-off, and keeps the previous log', async () => {
    await kubectl.input(podOf('failing', { containers: [shell('main', 'echo run; exit 7')] }), 'apply', '-f', '-');
    await waiting('failing', 'CrashLoopBackOff');
    assert.equal(await status('failing', 'containerStatuses[0].lastState.terminated.exitCode'), '7');
    assert.match(
      await status('failing', 'containerStatuses[0].state.waiting.message'),
      /^back-off \d+m?\d*s restarting failed container=main pod=failing_default\(/,
    );
    assert.equal(await kubectl('logs', '--previous', 'failing'), 'run\n');
    assert.match(await kubectl('get', 'pod', 'failing'), /CrashLoopBackOff/);
    assert.match(
      await kubectl('describe', 'pod', 'failing'),
      /Warning +BackOff +.*Back-off restarting failed container main in pod failing_default/,
    );
    await kubectl('delete', 'pod', 'failing', '--now');
  });

  it('says what is wrong with an image, a command, a reference', async () => {
    const pods: [string, object, string][] = [
      ['no-image', { image: image('does-not-exist') }, 'ImagePullBackOff'],
      ['bad-image', { image: 'UPPER/case:%' }, 'InvalidImageName'],
      [
        'no-reference',
        { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'not-there', key: 'a' } } }] },
        'CreateContainerConfigError',
      ],
    ];
    for (const [name, more] of pods)
      await kubectl.input(podOf(name, { containers: [shell('main', 'sleep 1000', more)] }), 'apply', '-f', '-');
    await kubectl.input(
      podOf('no-command', { containers: [{ name: 'main', image: image('busybox'), command: ['/no/such/command'] }] }),
      'apply',
      '-f',
      '-',
    );
    for (const [name, , reason] of pods) await waiting(name, reason);
    const message = await eventually('the missing command is told', async () => {
      const pod = await kubectl.json('get', 'pod', 'no-command');
      const state = pod.status.containerStatuses?.[0];
      return (
        state?.lastState?.terminated?.message ?? state?.state?.terminated?.message ?? state?.state?.waiting?.message
      );
    });
    assert.match(message, /no such file or directory|not found/);
    assert.match(await kubectl('describe', 'pod', 'no-reference'), /configmap "not-there" not found/);
    // The reference appears, and so the container starts.
    await kubectl('create', 'configmap', 'not-there', '--from-literal=a=now');
    await kubectl('wait', '--for=condition=Ready', 'pod/no-reference', '--timeout=180s');
    assert.equal(await kubectl('exec', 'no-reference', '--', 'sh', '-c', 'echo $A'), 'now\n');
    await kubectl('delete', 'pod', 'no-image', 'bad-image', 'no-reference', 'no-command', '--now');
  });

  it('limits memory: OOMKilled', async () => {
    await kubectl.input(
      podOf('greedy', {
        restartPolicy: 'Never',
        containers: [shell('main', 'x=a; while true; do x=$x$x; done', { resources: { limits: { memory: '32Mi' } } })],
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

  it('init containers run first and in order', async () => {
    const mount = { volumeMounts: [{ name: 'shared', mountPath: '/shared' }] };
    await kubectl.input(
      podOf('ordered', {
        restartPolicy: 'Never',
        volumes: [{ name: 'shared', emptyDir: {} }],
        initContainers: [
          shell('first', 'echo first >> /shared/order', mount),
          shell('second', 'echo second >> /shared/order', mount),
        ],
        containers: [shell('main', 'cat /shared/order', mount)],
      }),
      'apply',
      '-f',
      '-',
    );
    await phase('ordered', 'Succeeded');
    assert.equal(await kubectl('logs', 'ordered'), 'first\nsecond\n');
    await kubectl('delete', 'pod', 'ordered');
  });

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
            { name: 'about', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
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

  it('probes: a failing liveness probe restarts, a readiness probe takes out of the service', async () => {
    await kubectl.input(
      podOf('probed', {
        containers: [
          shell('main', 'touch /tmp/ready /tmp/alive; sleep 100000', {
            livenessProbe: { exec: { command: ['cat', '/tmp/alive'] }, periodSeconds: 1, failureThreshold: 2 },
            readinessProbe: { exec: { command: ['cat', '/tmp/ready'] }, periodSeconds: 1, failureThreshold: 1 },
          }),
        ],
        terminationGracePeriodSeconds: 1,
      }),
      'apply',
      '-f',
      '-',
    );
    await kubectl('wait', '--for=condition=Ready', 'pod/probed', '--timeout=120s');
    await kubectl('exec', 'probed', '--', 'rm', '/tmp/ready');
    await kubectl('wait', '--for=condition=Ready=false', 'pod/probed', '--timeout=120s');
    await kubectl('exec', 'probed', '--', 'touch', '/tmp/ready');
    await kubectl('wait', '--for=condition=Ready', 'pod/probed', '--timeout=120s');
    await kubectl('exec', 'probed', '--', 'rm', '/tmp/alive');
    await eventually(
      'the container is restarted',
      async () => Number(await status('probed', 'containerStatuses[0].restartCount')) >= 1,
    );
    assert.match(await kubectl('describe', 'pod', 'probed'), /Warning +Unhealthy .*Liveness probe failed/);
    await kubectl('delete', 'pod', 'probed', '--now');
  });

  it('preStop runs, and termination is graceful', async () => {
    await kubectl.input(
      podOf('graceful', {
        terminationGracePeriodSeconds: 30,
        containers: [
          shell('main', 'trap "echo got-term; exit 0" TERM; while true; do sleep 0.1; done', {
            lifecycle: { preStop: { exec: { command: ['sh', '-c', 'echo pre-stop > /proc/1/fd/1'] } } },
          }),
        ],
      }),
      'apply',
      '-f',
      '-',
    );
    await kubectl('wait', '--for=condition=Ready', 'pod/graceful', '--timeout=120s');
    const follow = kubectl.start('logs', '-f', 'graceful');
    let text = '';
    follow.stdout.on('data', (chunk) => (text += chunk));
    await kubectl('delete', 'pod', 'graceful');
    await eventually('the log tells both', () => text.includes('pre-stop') && text.includes('got-term'));
    assert.ok(text.indexOf('pre-stop') < text.indexOf('got-term'), text);
    follow.kill();
  });

  it('runs jobs to their completion', async () => {
    await kubectl('create', 'job', 'sum', `--image=${image('busybox')}`, '--', 'sh', '-c', 'echo $((40+2))');
    await kubectl('wait', '--for=condition=complete', 'job/sum', '--timeout=180s');
    assert.equal(await kubectl('logs', 'job/sum'), '42\n');
    assert.match(await kubectl('get', 'job', 'sum'), /Complete +1\/1/);
    await kubectl('delete', 'job', 'sum');
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

  it('two tenants with the same names and addresses cannot reach each other', async () => {
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
        containers: [shell('main', 'mkdir /www; echo extra > /www/index.html; exec busybox httpd -f -p 8081 -h /www')],
      }),
      'apply',
      '-f',
      '-',
    );
    await left('wait', '--for=condition=Ready', 'pod/extra', '--timeout=120s');
    const address = await left('get', 'pod', 'extra', '-o', 'jsonpath={.status.podIP}');
    assert.equal(await left('exec', 'server', '--', 'wget', '-qO-', `http://${address}:8081/`), 'extra\n');
    const crossed = await right.try('exec', 'server', '--', 'timeout', '5', 'wget', '-qO-', `http://${address}:8081/`);
    assert.notEqual(crossed.code, 0, crossed.stdout);
    for (const tenant of ['left', 'right']) await skypod.run('tenant', 'delete', tenant);
  });
});

function httpGet(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve(body));
    }).on('error', reject);
  });
}

async function fetchInsecure(url: string, token: string): Promise<{ status: number }> {
  const { request } = await import('node:https');
  return new Promise((resolve, reject) => {
    request(url, { rejectUnauthorized: false, headers: { authorization: `Bearer ${token}` } }, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0 });
    })
      .on('error', reject)
      .end();
  });
}
