import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort } from '../../src/base/testing/local-server.ts';

/** Why tests behind HAProxy can't run here; false when they can. */
export const haproxyMissing: string | false =
  spawnSync('haproxy', ['-v']).status === 0 ? false : 'haproxy is not installed (Debian package haproxy)';

export interface LoadBalancer {
  url: string;
  /** Whether its checks say that connections may go to the server at that URL. */
  sendsTo(url: string): Promise<boolean>;
  close(): Promise<void>;
}

/** HAProxy in front of API servers: it passes connections on as they are, and looks at /readyz twice a second. */
export async function startLoadBalancer(urls: string[]): Promise<LoadBalancer> {
  const directory = mkdtempSync(join(tmpdir(), `skypod-haproxy-${process.pid}-`));
  const port = await freePort();
  const servers = urls.map(
    (url, index) =>
      `  server plane-${index} ${new URL(url).host} check check-ssl verify none inter 500 fastinter 200 fall 2 rise 2`,
  );
  const file = join(directory, 'haproxy.cfg');
  const statistics = join(directory, 'statistics');
  writeFileSync(
    file,
    `global
  stats socket ${statistics}
defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
  timeout check 3s
  option redispatch 1
  retries 5
listen api
  bind 127.0.0.1:${port}
  balance roundrobin
  option httpchk GET /readyz
  http-check expect status 200
${servers.join('\n')}
`,
  );
  // It ends with this process, however that ends.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'haproxy', '-db', '-f', file], { stdio: 'ignore' });
  return {
    url: `https://127.0.0.1:${port}`,
    async sendsTo(url) {
      const rows = (await ask(statistics, 'show stat')).split('\n').map((line) => line.split(','));
      const column = rows[0]!.indexOf('status');
      return rows.find(([, name]) => name === `plane-${urls.indexOf(url)}`)![column] === 'UP';
    },
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await ended;
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** One question to HAProxy's own socket. */
function ask(path: string, command: string): Promise<string> {
  const socket = connect(path);
  socket.write(`${command}\n`);
  return text(socket);
}
