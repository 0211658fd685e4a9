import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parse } from 'yaml';
import { eventually } from '../lib/eventually.ts';
import { runCommand } from '../lib/run-command.ts';
import { isRoot, launcher, type Skypod, startSkypod } from '../lib/skypod.ts';

interface Answer {
  status: number;
  body: any;
}

/** A client of the API with the admin's certificate, for writes faster than kubectl's. */
function apiClient(skypod: Skypod) {
  const config = parse(readFileSync(join(skypod.dataDir, 'kubeconfig'), 'utf8'));
  const decode = (text: string) => Buffer.from(text, 'base64').toString();
  const credentials = {
    ca: decode(config.clusters[0].cluster['certificate-authority-data']),
    cert: decode(config.users[0].user['client-certificate-data']),
    key: decode(config.users[0].user['client-key-data']),
  };
  return (method: string, path: string, body?: unknown) =>
    new Promise<Answer>((resolve, reject) => {
      const text = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body);
      const call = request(
        `${skypod.url}${path}`,
        { ...credentials, method, headers: { 'content-type': 'application/json' } },
        (response) => {
          let received = '';
          response.on('data', (chunk) => (received += chunk));
          response.on('error', reject);
          response.on('end', () => {
            const isJson = response.headers['content-type']?.startsWith('application/json');
            try {
              resolve({ status: response.statusCode ?? 0, body: isJson ? JSON.parse(received) : received });
            } catch {
              reject(new Error(`an answer cut short: ${received.slice(0, 100)}`));
            }
          });
        },
      );
      call.on('error', reject);
      call.end(text);
    });
}

const configMaps = '/api/v1/namespaces/default/configmaps';

const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
/** A checkout in root's home directory is root's alone. */
const isReachable = spawnSync('setpriv', [...asNobody, 'test', '-r', launcher]).status === 0;

describe('faults of the control plane', () => {
  const started: Skypod[] = [];
  after(async () => {
    for (const skypod of started) await skypod.destroy();
  });

  it('kill -9 under writes loses no acknowledged write and bills no second twice', async () => {
    const skypod = await startSkypod({ runtime: 'simulated' });
    started.push(skypod);
    const api = apiClient(skypod);
    await skypod.kubectl('create', 'deployment', 'steady', '--image=example.test/steady', '--replicas=3');
    await skypod.kubectl('rollout', 'status', 'deployment/steady');
    const before = await skypod.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].metadata.uid}');

    const acknowledged: string[] = [];
    let writing = true;
    let sequence = 0;
    const writers = Array.from({ length: 8 }, async () => {
      while (writing) {
        const name = `written-${sequence++}`;
        try {
          const answer = await api('POST', configMaps, {
            apiVersion: 'v1',
            kind: 'ConfigMap',
            metadata: { name },
            data: { name },
          });
          if (answer.status === 201) acknowledged.push(name);
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    });
    try {
      for (let round = 1; round <= 3; round++) {
        const goal = acknowledged.length + 200;
        await eventually(`200 more writes in round ${round}`, () => acknowledged.length >= goal);
        const pid = skypod.pidOf('control-plane');
        process.kill(pid, 'SIGKILL');
        await eventually(
          'the supervisor brought it back',
          async () =>
            skypod.pidOf('control-plane') !== pid &&
            (await api('GET', '/version').catch(() => undefined)) !== undefined,
          { retryErrors: true },
        );
      }
      const goal = acknowledged.length + 50;
      await eventually('writes go on', () => acknowledged.length >= goal);
    } finally {
      // Writers that nobody stops would keep a failed test running.
      writing = false;
    }
    await Promise.all(writers);

    const listed = await api('GET', configMaps);
    const present = new Set(listed.body.items.map((item: any) => item.metadata.name));
    assert.deepEqual(
      acknowledged.filter((name) => !present.has(name)),
      [],
    );
    assert.equal(await skypod.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].metadata.uid}'), before);

    await skypod.kubectl('delete', 'deployment', 'steady');
    await eventually('the pods are gone', async () => (await skypod.kubectl('get', 'pods', '-o', 'name')) === '');
    const records = await eventually('all three are in the ledger', async () => {
      const { items } = await skypod.systemKubectl.json('get', 'usagerecords', '-n', 'default');
      return new Set(items.map((item: any) => item.spec.instance)).size === 3 && items;
    });
    for (const instance of new Set<string>(records.map((item: any) => item.spec.instance))) {
      const intervals = records
        .filter((item: any) => item.spec.instance === instance)
        .map((item: any) => [Date.parse(item.spec.intervalStart), Date.parse(item.spec.intervalEnd)])
        .sort((a: number[], b: number[]) => a[0] - b[0]);
      for (let index = 1; index < intervals.length; index++)
        assert.equal(
          intervals[index][0],
          intervals[index - 1][1],
          'intervals of one instance meet without gap or overlap',
        );
    }
  });

  it('kill -9 of the host agent restarts no container', async () => {
    const skypod = await startSkypod({ runtime: 'simulated' });
    started.push(skypod);
    await skypod.kubectl('create', 'deployment', 'steady', '--image=example.test/steady', '--replicas=3');
    await skypod.kubectl('rollout', 'status', 'deployment/steady');
    const containers = () =>
      skypod.kubectl(
        'get',
        'pods',
        '-o',
        'jsonpath={range .items[*]}{.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount} {end}',
      );
    const before = await containers();
    const pid = skypod.pidOf('host');
    process.kill(pid, 'SIGKILL');
    await eventually('the supervisor brought it back', () => skypod.pidOf('host') !== pid, { retryErrors: true });
    await skypod.kubectl('scale', 'deployment/steady', '--replicas=4');
    await skypod.kubectl('rollout', 'status', 'deployment/steady');
    const afterwards = await containers();
    for (const container of before.trim().split(' '))
      assert.ok(afterwards.includes(container), `${container} of ${before} in ${afterwards}`);
  });

  it('kill -9 of the supervisor ends the others, and the next start takes over', async () => {
    const skypod = await startSkypod({ runtime: 'simulated' });
    started.push(skypod);
    await skypod.kubectl('create', 'configmap', 'kept', '--from-literal=a=b');
    skypod.process.kill('SIGKILL');
    const again = await startSkypod({ runtime: 'simulated', dataDir: skypod.dataDir, port: skypod.port });
    started.splice(started.indexOf(skypod), 1, again);
    assert.equal(await again.kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}'), 'b');
  });

  it('refuses malformed and oversized bodies with a Status', async () => {
    const skypod = await startSkypod({ runtime: 'simulated' });
    started.push(skypod);
    const api = apiClient(skypod);
    const malformed = await api('POST', configMaps, '{"apiVersion":"v1","kind":"ConfigMap",');
    assert.equal(malformed.status, 400);
    assert.equal(malformed.body.kind, 'Status');
    assert.equal(malformed.body.reason, 'BadRequest');
    const large = await api('POST', configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'large' },
      data: { a: 'x'.repeat(3_200_000) },
    });
    assert.equal(large.status, 413);
    assert.equal(large.body.reason, 'RequestEntityTooLarge');
    assert.equal((await api('GET', '/apis/nothing.example/v1/things')).status, 404);
    assert.equal((await api('GET', configMaps)).status, 200);
  });

  it('a full disk refuses writes with a clear message, keeps what was acknowledged, and recovers', {
    skip: isRoot ? false : 'a small file system needs root',
  }, async () => {
    const mountPoint = mkdtempSync(join(tmpdir(), 'skypod-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', mountPoint]);
    let skypod: Skypod | undefined;
    try {
      skypod = await startSkypod({ runtime: 'simulated', dataDir: join(mountPoint, 'data') });
      const api = apiClient(skypod);
      const acknowledged: string[] = [];
      const ballast = join(mountPoint, 'ballast');
      const { bavail, bsize } = statfsSync(mountPoint);
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - 4_000_000)));
      let refusal: Answer | undefined;
      for (let index = 0; index < 400 && refusal === undefined; index++) {
        const name = `filling-${index}`;
        const answer = await api('POST', configMaps, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name },
          data: { a: 'x'.repeat(50_000) },
        });
        if (answer.status === 201) acknowledged.push(name);
        else refusal = answer;
      }
      assert.ok(refusal !== undefined, 'the disk never filled');
      assert.ok(refusal.status >= 500, `${refusal.status}`);
      assert.match(refusal.body.message, /no room left|disk|full/i);
      const present = new Set((await api('GET', configMaps)).body.items.map((item: any) => item.metadata.name));
      assert.deepEqual(
        acknowledged.filter((name) => !present.has(name)),
        [],
      );
      rmSync(ballast);
      await eventually(
        'writes work again',
        async () =>
          (await api('POST', configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'again-' } }))
            .status === 201,
        { retryErrors: true },
      );
    } finally {
      await skypod?.destroy();
      execFileSync('umount', ['-l', mountPoint]);
      rmSync(mountPoint, { recursive: true, force: true });
    }
  });

  it('says in a line that real containers need root', {
    skip: !isRoot ? 'needs root to give it up' : !isReachable && 'nobody but root reaches this checkout',
  }, async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'skypod-noroot-'));
    execFileSync('chown', ['65534:65534', dataDir]);
    const up = [launcher, 'up', '--data-dir', dataDir, '--listen', '127.0.0.1:1'];
    const result = await runCommand('setpriv', [...asNobody, ...up]);
    rmSync(dataDir, { recursive: true, force: true });
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /^skypod: the containerd runtime needs root: .*simulated\n$/);
  });
});
