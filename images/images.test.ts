import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { ContractBench, type TestPod } from '../src/runtime/contract/harness.ts';
import { type CriTestBench, cannotRunContainers, makeCriTestBench } from '../src/runtime/cri/testing/test-bench.ts';

describe('the images', { skip: cannotRunContainers() ?? false }, () => {
  let harness: CriTestBench;
  let bench: ContractBench;

  before(async () => {
    harness = await makeCriTestBench({}, ['busybox', 'pause', 'nginx', 'redis', 'web-echo', 'guestbook']);
    bench = await ContractBench.open(harness);
  });
  after(() => harness.dispose(bench.runtime));

  const start = async (pod: TestPod, name: string, tag: string, changes = {}) => {
    const image = `${harness.registryAddress}/${name}:${tag}`;
    await bench.runtime.pullImage(image);
    const id = await bench.create(pod, { image, metadata: { name, attempt: 0 }, ...changes });
    await bench.runtime.startContainer(id);
    return id;
  };
  const shell = async (id: string, script: string) => {
    const { exitCode, stdout } = await bench.runtime.execSync(id, ['sh', '-c', script], 20);
    return exitCode === 0 ? String(stdout) : undefined;
  };

  test('nginx serves on port 80, logs to standard output and ends when asked, as any user', async () => {
    const pod = await bench.runPod();
    const security = bench.containerConfig().security;
    const nobody = { ...security, runAsUser: 65534, runAsGroup: 65534, dropCapabilities: ['ALL'] };
    const id = await start(pod, 'nginx', '1', { security: nobody });
    const page = await bench.waitFor(() => shell(id, 'wget -q -O - http://127.0.0.1/'));
    assert.match(page, /<h1>It works<\/h1>/);
    const { logPath } = (await bench.runtime.containerStatus(id))!;
    await bench.waitForLog(logPath, (rows) => rows.some((row) => / stdout F .*"GET \/ HTTP\/1.1" 200 /.test(row)));
    await bench.runtime.stopContainer(id, 30);
    assert.equal((await bench.runtime.containerStatus(id))?.exitCode, 0);
    await bench.removePods();
  });

  test('web-echo answers with its hostname, the request and its environment', async () => {
    const pod = await bench.runPod();
    const id = await start(pod, 'web-echo', '1', { envs: [{ key: 'COLOR', value: 'blue' }] });
    const ask = `wget -q -O - --header 'X-Shop: acme' --post-data 'a=1' 'http://127.0.0.1:8080/some/path?q=1'`;
    const answer = await bench.waitFor(() => shell(id, ask));
    for (const line of [
      'hostname: contract-host',
      'method: POST',
      'uri: /some/path?q=1',
      '  X-Shop: acme',
      '  COLOR=blue',
      'a=1',
    ]) {
      assert.ok(answer.split('\n').includes(line), `${line} is not in\n${answer}`);
    }
    await bench.removePods();
  });

  test('the guestbook keeps its entries in redis', async () => {
    const pod = await bench.runPod();
    const redis = await start(pod, 'redis', '7');
    await bench.waitFor(async () => (await shell(redis, 'redis-cli ping'))?.trim() === 'PONG');
    const id = await start(pod, 'guestbook', '1', { envs: [{ key: 'GUESTBOOK_REDIS', value: '127.0.0.1:6379' }] });
    const sign = (message: string) => shell(id, `wget -q -O - --post-data 'message=${message}' http://127.0.0.1:8080/`);
    await bench.waitFor(() => sign('hello%20%3Cworld%3E'));
    await sign('%24100+and+a+%22quote%22');
    const page = await shell(id, 'wget -q -O - http://127.0.0.1:8080/');
    assert.match(page ?? '', /<li>hello &lt;world&gt;<\/li>\s*<li>\$100 and a "quote"<\/li>/);
    assert.equal(await shell(redis, 'redis-cli llen guestbook'), '2\n');
    await bench.runtime.stopContainer(redis, 0);
    assert.equal(await shell(id, 'wget -q -O - http://127.0.0.1:8080/'), undefined);
    await bench.removePods();
  });

  test('pause waits until it is told to end', async () => {
    const pod = await bench.runPod();
    const id = await start(pod, 'pause', '1');
    assert.equal((await bench.runtime.containerStatus(id))?.state, 'running');
    await bench.waitFor(async () => programsOf(id).some(({ name, awaitsTerm }) => name === 'pause' && awaitsTerm));
    await bench.runtime.stopContainer(id, 30);
    assert.equal((await bench.runtime.containerStatus(id))?.exitCode, 0);
    await bench.removePods();
  });
});

const TERM = 1n << 14n;

/** The programs in a container, and whether each is past its start: it waits for signals, or catches the one it is ended by. */
function programsOf(containerId: string): { name: string; awaitsTerm: boolean }[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid) || !readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(containerId)) return [];
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)![1]!;
      const waits = readFileSync(`/proc/${pid}/wchan`, 'utf8').includes('sigtimedwait');
      return [{ name: field('Name'), awaitsTerm: waits || (BigInt(`0x${field('SigCgt')}`) & TERM) !== 0n }];
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw error;
    }
  });
}
