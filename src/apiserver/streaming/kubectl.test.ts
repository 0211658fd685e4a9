import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { everyKubectl } from '../../../test/lib/kubectl.ts';
import { freePort, listenLocally } from '../../base/testing/local-server.ts';
import { until } from '../../base/testing/until.ts';
import { type StreamingServer, startStreamingServer } from './testing/streaming-server.ts';

/** A newer one speaks WebSocket, Debian 12's speaks SPDY. */
const kubectls = everyKubectl();

if (kubectls.length === 0) test('streams with kubectl', { skip: 'no kubectl is to be had' });

for (const { version, path } of kubectls) {
  describe(`kubectl ${version}`, { concurrency: false }, () => {
    let server: StreamingServer;
    let echo: Server;
    const children = new Set<ChildProcess>();

    before(async () => {
      server = await startStreamingServer();
      // Answers when the client has half-closed: what it got, reversed in case.
      echo = createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('error', () => {});
        // Not by iterating: that would destroy the socket at the end of its readable half.
        let question = '';
        socket.on('data', (chunk) => (question += chunk));
        socket.on('end', () => socket.end(question.toUpperCase()));
      });
      await listenLocally(echo);
    });

    after(async () => {
      for (const child of children) child.kill('SIGKILL');
      echo.close();
      await server.close();
    });

    const start = (command: string, args: string[]) => {
      const environment = { ...process.env, KUBECONFIG: server.kubeconfig, HOME: server.directory };
      const child = spawn(command, args, { env: environment, cwd: server.directory });
      children.add(child);
      child.once('exit', () => children.delete(child));
      child.stdin.on('error', () => {});
      return child;
    };
    const kubectl = (...args: string[]) => start(path, args);
    const run = async (args: string[], input: string | Buffer = '') => {
      const child = kubectl(...args);
      child.stdin.end(input);
      const exit = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
      const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
      return { stdout, stderr, code: await exit };
    };

    test('exec keeps stdout, stderr and the exit code', async () => {
      const result = await run(['exec', 'p', '-c', 'c', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
      assert.equal(result.stdout, 'out\n');
      assert.match(result.stderr, /^err\n/);
      assert.match(result.stderr, /command terminated with exit code 7/);
      assert.equal(result.code, 7);
    });

    test('exec succeeds in silence', async () => {
      const before = server.upgrades.length;
      assert.deepEqual(await run(['exec', 'p', '-c', 'c', '--', 'true']), { stdout: '', stderr: '', code: 0 });
      assert.deepEqual(server.upgrades.slice(before), [speaksWebSocket(version) ? 'websocket' : 'SPDY/3.1']);
    });

    test('the end of stdin reaches the command', async () => {
      const result = await run(['exec', '-i', 'p', '-c', 'c', '--', 'sort'], 'b\na\nc\n');
      assert.deepEqual(result, { stdout: 'a\nb\nc\n', stderr: '', code: 0 });
    });

    test('a command that does not read its stdin ends all the same', async () => {
      const result = await run(['exec', '-i', 'p', '-c', 'c', '--', 'echo', 'done'], Buffer.alloc(3_000_000));
      assert.equal(result.stdout, 'done\n');
      assert.equal(result.code, 0);
    });

    test('a refused session is told in the words of the server', async () => {
      const result = await run(['exec', 'p', '-c', 'none', '--', 'true']);
      assert.notEqual(result.code, 0);
      assert.match(result.stderr, /container none is not valid for pod p/);
    });

    test('attach joins what runs', async () => {
      const result = await run(['attach', '-i', 'p', '-c', 'c'], 'hello\n');
      assert.match(result.stdout, /attached\nhello\n/);
      assert.match(result.stderr, /exit code 3/);
    });

    test('a terminal has one output and a size', async () => {
      const before = server.sessions.length;
      const command = `stty rows 33 cols 111; exec ${path} exec -it p -c c -- sh -c 'test -t 0 && echo tty; read line; exit 5'`;
      const child = start('script', ['-qefc', command, '/dev/null']);
      const exit = new Promise((resolve) => child.once('close', resolve));
      const printed = text(child.stdout);
      await until(() => server.sessions[before]?.sizes.length);
      child.stdin.write('\n');
      const output = await printed;
      assert.equal(await exit, 5, output);
      assert.match(output, /tty/);
      assert.deepEqual(server.sessions[before]!.sizes[0], [111, 33]);
    });

    test('cp carries a file both ways', async () => {
      const content = Buffer.alloc(5_000_000, 'skypod').toString('latin1');
      writeFileSync(join(server.directory, 'source'), content);
      const inside = join(server.directory, 'inside');
      const there = await run(['cp', 'source', `p:${inside}`, '-c', 'c']);
      assert.equal(there.code, 0, there.stderr);
      const back = await run(['cp', `p:${inside}`, 'back', '-c', 'c']);
      assert.equal(back.code, 0, back.stderr);
      assert.equal(readFileSync(join(server.directory, 'back'), 'latin1'), content);
    });

    test('a client that leaves ends the session', async () => {
      const before = server.sessions.length;
      const child = kubectl('exec', 'p', '-c', 'c', '--', 'sh', '-c', 'echo started; exec sleep 1000');
      await new Promise((resolve) => child.stdout.once('data', resolve));
      child.kill('SIGKILL');
      const session = server.sessions[before]!;
      await session.done;
      assert.ok(session.closed);
    });

    test('neither a slow reader nor a slow command fills the memory', async () => {
      const bytes = 192 * 1024 * 1024;
      const start = process.memoryUsage().rss;
      let most = 0;
      const sampler = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
      const out = kubectl('exec', 'p', '-c', 'c', '--', 'head', '-c', String(bytes), '/dev/zero');
      let received = 0;
      let reads = 0;
      for await (const chunk of out.stdout) {
        received += chunk.length;
        if (++reads < 20) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.equal(received, bytes);
      const into = kubectl('exec', '-i', 'p', '-c', 'c', '--', 'sh', '-c', 'sleep 1; wc -c');
      const zero = spawn('head', ['-c', String(bytes), '/dev/zero'], { stdio: ['ignore', 'pipe', 'ignore'] });
      zero.stdout.pipe(into.stdin);
      assert.equal((await text(into.stdout)).trim(), String(bytes));
      clearInterval(sampler);
      const grownMiB = (most - start) / 2 ** 20;
      assert.ok(grownMiB < 128, `grew by ${Math.round(grownMiB)} MiB`);
    });

    test('port-forward carries connections side by side, with half-close, and tells failures', async () => {
      const { port } = echo.address() as AddressInfo;
      const dead = await freePort();
      const child = kubectl('port-forward', 'pod/p', `:${port}`, `:${dead}`);
      const errors: string[] = [];
      child.stderr.on('data', (chunk) => errors.push(String(chunk)));
      const local = await forwardedPorts(child, 2);
      const ask = async (question: string) => {
        const socket = connect({ host: '127.0.0.1', port: local[0]!, allowHalfOpen: true });
        socket.end(question);
        return text(socket);
      };
      const questions = Array.from({ length: 20 }, (_, index) => `question ${index} `.repeat(index * 500 + 1));
      const answers = await Promise.all(questions.map(ask));
      assert.equal(server.upgrades.at(-1), speaksWebSocket(version) ? 'websocket' : 'SPDY/3.1');
      assert.deepEqual(
        answers,
        questions.map((question) => question.toUpperCase()),
      );
      // kubectl of some versions ends when a forward fails: last.
      const failed = connect({ host: '127.0.0.1', port: local[1]! });
      failed.on('error', () => {});
      failed.write('x');
      await until(() => /error forwarding port \d+ to pod p, uid the-uid: .*ECONNREFUSED/.test(errors.join('')));
      failed.destroy();
      child.kill('SIGKILL');
    });
  });
}

/** By default since 1.31. */
const speaksWebSocket = (version: string): boolean => Number(version.split('.')[1]) >= 31;

function forwardedPorts(child: ChildProcess, count: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout!.on('data', (chunk) => {
      output += chunk;
      const ports = [...output.matchAll(/from 127\.0\.0\.1:(\d+)/g)].map((match) => Number(match[1]));
      if (ports.length === count) resolve(ports);
    });
    child.once('exit', (code) => reject(new Error(`kubectl left with ${code}: ${output}`)));
  });
}
