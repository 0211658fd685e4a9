import assert from 'node:assert/strict';
import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { ExecTimeoutError } from '../sandbox-runtime.ts';
import type { AddTest } from './add-test.ts';

const outputOnly = { stdin: false, stdout: true, stderr: true, tty: false };

export function streamTests(add: AddTest): void {
  add('execSync answers with both outputs and the exit code', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sleep', '1000'], { envs: [{ key: 'COLOR', value: 'red' }] });
    const result = await bench.runtime.execSync(id, ['sh', '-c', 'echo "$COLOR"; echo bad >&2; exit 6'], 10);
    assert.deepEqual([result.exitCode, String(result.stdout), String(result.stderr)], [6, 'red\n', 'bad\n']);
  });

  add('execSync gives up after its timeout', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sleep', '1000']);
    await assert.rejects(bench.runtime.execSync(id, ['sleep', '100'], 1), ExecTimeoutError);
    assert.equal((await bench.runtime.execSync(id, ['true'], 10)).exitCode, 0);
  });

  add('execSync in a container that does not run fails', async (bench) => {
    const pod = await bench.runPod();
    const { id } = await bench.runToEnd(pod, ['true']);
    await assert.rejects(bench.runtime.execSync(id, ['true'], 10));
    await assert.rejects(bench.runtime.exec(id, { command: ['true'], ...outputOnly }));
  });

  add(
    'execSync cuts long output',
    async (bench) => {
      const pod = await bench.runPod();
      const id = await bench.start(pod, ['sleep', '1000']);
      const { stdout } = await bench.runtime.execSync(id, ['sh', '-c', 'yes | head -c 100000'], 10);
      assert.equal(stdout.length, 16_384);
    },
    'processes',
  );

  add('exec streams both outputs and ends with the exit code', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sleep', '1000']);
    const session = await bench.runtime.exec(id, {
      command: ['sh', '-c', 'echo out; echo err >&2; exit 7'],
      ...outputOnly,
    });
    const [out, err, end] = await Promise.all([text(session.stdout!), text(session.stderr!), session.done]);
    assert.deepEqual([out, err, end.exitCode], ['out\n', 'err\n', 7]);
    assert.equal(session.stdin, undefined);
  });

  add('exec takes standard input to its end', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sleep', '1000']);
    const session = await bench.runtime.exec(id, { command: ['cat'], ...outputOnly, stdin: true });
    const sent = Buffer.alloc(300_000, 'skypod ');
    session.stdin!.end(sent);
    const received = await buffer(session.stdout!);
    assert.ok(received.equals(sent), `${received.length} of ${sent.length} bytes came back`);
    assert.equal((await session.done).exitCode, 0);
  });

  add(
    'a slow reader of exec gets all of a large output',
    async (bench) => {
      const pod = await bench.runPod();
      const id = await bench.start(pod, ['sleep', '1000']);
      const command = ['sh', '-c', 'head -c 8000000 /dev/zero; echo through >&2'];
      const session = await bench.runtime.exec(id, { command, ...outputOnly });
      // Nobody reads for a while: the output must wait in the container, not in memory here.
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.ok(session.stdout!.readableLength < 4_000_000, `${session.stdout!.readableLength} bytes are buffered`);
      const [out, err] = await Promise.all([buffer(session.stdout!), text(session.stderr!)]);
      assert.deepEqual([out.length, err], [8_000_000, 'through\n']);
      assert.equal((await session.done).exitCode, 0);
    },
    'processes',
  );

  add(
    'exec of a command that reads no input ends all the same',
    async (bench) => {
      const pod = await bench.runPod();
      const id = await bench.start(pod, ['sleep', '1000']);
      const session = await bench.runtime.exec(id, { command: ['sh', '-c', 'exit 2'], ...outputOnly, stdin: true });
      session.stdin!.write(Buffer.alloc(100_000));
      assert.equal((await session.done).exitCode, 2);
      session.close();
    },
    'processes',
  );

  add(
    'exec with a terminal has one output and a size',
    async (bench) => {
      const pod = await bench.runPod();
      const id = await bench.start(pod, ['sleep', '1000']);
      const options = { command: ['sh'], stdin: true, stdout: true, stderr: true, tty: true };
      const session = await bench.runtime.exec(id, options);
      assert.equal(session.stderr, undefined);
      session.resize(91, 23);
      const seen = collect(session.stdout!);
      session.stdin!.write('stty size; echo done-$((1+1))\n');
      await bench.waitFor(async () => seen().includes('done-2'));
      assert.match(seen(), /23 91/);
      session.stdin!.write('exit 5\n');
      assert.equal((await session.done).exitCode, 5);
    },
    'processes',
  );

  add(
    'exec of a command that does not exist fails',
    async (bench) => {
      const pod = await bench.runPod();
      const id = await bench.start(pod, ['sleep', '1000']);
      await assert.rejects(async () => {
        const session = await bench.runtime.exec(id, { command: ['/does-not-exist'], ...outputOnly });
        const { exitCode } = await session.done;
        if (exitCode !== 0) throw new Error(`exit code ${exitCode}: /does-not-exist`);
      }, /does-not-exist/);
    },
    'processes',
  );

  add('closing an exec session leaves the container running', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sleep', '1000']);
    const session = await bench.runtime.exec(id, { command: ['cat'], ...outputOnly, stdin: true });
    session.close();
    await session.done.catch(() => {});
    assert.equal((await bench.runtime.containerStatus(id))?.state, 'running');
  });

  add('attach shows what the container writes and ends with it', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.create(pod, {
      command: ['sh', '-c', 'sleep 0.5; echo late; exit 3'],
    });
    await bench.runtime.startContainer(id);
    const session = await bench.runtime.attach(id, outputOnly);
    assert.equal(await text(session.stdout!), 'late\n');
    assert.equal((await session.done).exitCode, 3);
  });

  add(
    'attach feeds standard input, once',
    async (bench) => {
      const pod = await bench.runPod();
      const id = await bench.start(pod, ['cat'], { stdin: true, stdinOnce: true });
      const session = await bench.runtime.attach(id, { ...outputOnly, stdin: true });
      session.stdin!.end('through the container\n');
      assert.equal(await text(session.stdout!), 'through the container\n');
      assert.equal((await bench.waitForExit(id)).exitCode, 0);
    },
    'processes',
  );

  add('port-forward reaches a server on the loopback of the pod', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['nc', '-ll', '-p', '8080', '-e', 'cat']);
    await bench.waitFor(
      async () => (await bench.runtime.execSync(id, ['sh', '-c', 'netstat -tln | grep -q 8080'], 10)).exitCode === 0,
    );
    const sent = Buffer.alloc(200_000, 'forwarded ');
    const connection = await bench.runtime.portForward(pod.sandboxId, 8080);
    connection.end(sent);
    const received = await buffer(connection);
    assert.ok(received.equals(sent), `${received.length} of ${sent.length} bytes came back`);
  });

  add(
    'port-forward to a port where nobody listens fails',
    async (bench) => {
      const pod = await bench.runPod();
      await assert.rejects(async () => {
        const connection = await bench.runtime.portForward(pod.sandboxId, 81);
        await buffer(connection);
      }, /refused/);
    },
    'processes',
  );
}

/** What has come so far. */
function collect(stream: Readable): () => string {
  let seen = '';
  stream.on('data', (chunk) => (seen += chunk));
  return () => seen;
}
