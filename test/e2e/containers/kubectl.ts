import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../../../src/base/testing/local-server.ts';
import { eventually } from '../../lib/eventually.ts';
import { image } from '../../lib/images.ts';
import { everyKubectl, type Kubectl, kubectlWith } from '../../lib/kubectl.ts';
import { runCommand } from '../../lib/run-command.ts';
import { type Cluster, podOf, shell } from './cluster.ts';

export function kubectlTests(cluster: Cluster): void {
  describe('kubectl', () => {
    let kubectl: Kubectl;
    before(() => {
      ({ kubectl } = cluster);
    });
    const { phase } = cluster;
    const scratch = mkdtempSync(join(tmpdir(), 'skypod-e2e-'));
    after(() => rmSync(scratch, { recursive: true, force: true }));

    for (const { version, path } of everyKubectl()) {
      describe(`kubectl ${version}`, () => {
        const name = `tool-${version.replace(/[^0-9]+/g, '-').replace(/^-|-$/g, '')}`;
        let own: Kubectl;
        before(async () => {
          own = kubectlWith(path, join(cluster.skypod.dataDir, 'kubeconfig'));
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
  });
}

function httpGet(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve(body));
    }).on('error', reject);
  });
}
