import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { createVpcNetwork, type VpcNetwork, type VpcNetworkOptions } from '../index.ts';

/** Why tests with real namespaces can't run here; false when they can. */
export function whyNoNamespaces(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const program of ['ip', 'nft', 'nsenter']) {
    if (spawnSync('which', [program]).status !== 0) return `needs ${program}`;
  }
  return spawnSync('unshare', ['--net', 'true']).status === 0 ? false : 'network namespaces are not allowed here';
}

/** A network of its own data directory, without a way out of the machine unless asked. */
export async function testNetwork(
  options: Partial<VpcNetworkOptions> = {},
): Promise<{ network: VpcNetwork; dataDirectory: string; end(): Promise<void> }> {
  const dataDirectory = options.dataDirectory ?? (await mkdtemp(join(tmpdir(), 'skypod-network-')));
  const network = await createVpcNetwork({
    hostIndex: 0,
    logger: silentLogger,
    clock: systemClock,
    egress: false,
    ...options,
    dataDirectory,
  });
  return {
    network,
    dataDirectory,
    async end() {
      await network.destroy();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

/** What a program prints, run in a network namespace; never rejects. */
export function inNamespace(
  path: string,
  program: string,
  args: string[],
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    // A program that waits for what never comes must not outlive the test.
    const child = spawn('nsenter', [`--net=${path}`, 'timeout', '20', program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** TCP servers in a namespace that answer every connection with `TEXT PEER-ADDRESS` and close it. */
export async function answerIn(path: string, ports: number[], text: string): Promise<{ end(): Promise<void> }> {
  const script = `
    const net = require('node:net');
    const ports = ${JSON.stringify(ports)};
    let open = 0;
    for (const port of ports) {
      net.createServer((socket) => {
        socket.on('error', () => {});
        socket.end(${JSON.stringify(text)} + ' ' + socket.remoteAddress);
      }).listen(port, '0.0.0.0', () => { if (++open === ports.length) console.log('ready'); });
    }`;
  const child = spawn('nsenter', [`--net=${path}`, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('close', () => reject(new Error('the answering server ended')));
  });
  return {
    async end() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/**
 * Connects from a namespace, several times in one process.
 * @returns for each attempt what was read, or `error CODE`
 */
export async function ask(path: string, host: string, port: number, times = 1, timeoutMs = 2000): Promise<string[]> {
  const script = `
    const net = require('node:net');
    const once = () => new Promise((resolve) => {
      const socket = net.connect({ host: ${JSON.stringify(host)}, port: ${port} });
      let text = '';
      socket.setEncoding('utf8');
      socket.setTimeout(${timeoutMs}, () => { resolve('error timeout'); socket.destroy(); });
      socket.on('data', (data) => { text += data; });
      socket.on('end', () => resolve(text));
      socket.on('error', (error) => resolve('error ' + error.code));
    });
    (async () => {
      const answers = [];
      for (let i = 0; i < ${times}; i++) answers.push(await once());
      console.log(JSON.stringify(answers));
    })();`;
  const { output } = await inNamespace(path, process.execPath, ['-e', script]);
  return JSON.parse(output) as string[];
}
