import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPrograms } from '../../../../conformance/build.ts';
import { runCommand } from '../../../../lib/run-command.ts';
import type { Side, Twin } from '../../twin.ts';

export interface RunOptions {
  input?: string;
  /** Lines have an order that means nothing. */
  sorted?: boolean;
  replace?: [RegExp, string][];
  /** Of what is printed, these lines alone. */
  only?: RegExp;
}

/** What passes between two servers' answers, and what each server chooses. */
const passing: [RegExp, string][] = [
  [/(\d+m)?\d+m?s ago/g, '<age> ago'],
  [/(\s)(\d+m)?\d+(\.\d+)?m?s(?=\s|$)/g, '$1<age>'],
  [/<age> +/g, '<age> '],
  [/\b10\.(9[6-9]|1[01]\d)\.\d+\.\d+ */g, '<service address> '],
  [/\b3[0-2]\d\d\d\/(TCP|UDP)( *)/g, '<node port>/$1 '],
  [/ {3,}/g, '   '],
  [/Resource Version: +\d+/g, 'Resource Version: <revision>'],
  [/resourceVersion: "\d+"/g, 'resourceVersion: <revision>'],
  [/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000/g, '<date>'],
  [/^[IWE]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ /gm, '<log> '],
  // A watch that ends with its program.
  [/^<log> reflector.*\n/gm, ''],
  [/HealthCheck NodePort: +\d+/g, 'HealthCheck NodePort: <port>'],
  // Skypod has one group more.
  [/^.*metrics\.k8s\.io.*\n/gm, ''],
  [/https:\/\/<address>/g, '<server>'],
];

/** The same commands of kubectl to both servers; what it prints and how it ends is compared. */
export class Kubectl {
  readonly #twin: Twin;
  readonly #program = buildPrograms(['kubectl']).kubectl;
  readonly #directory = mkdtempSync(join(tmpdir(), 'skypod-differential-kubectl-'));
  readonly namespace: string;

  constructor(twin: Twin, namespace: string) {
    this.#twin = twin;
    this.namespace = namespace;
    for (const side of twin.sides)
      writeFileSync(this.#configOf(side), JSON.stringify(kubeconfig(side)), { mode: 0o600 });
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** @param line words, apart by spaces; none may hold any. */
  run(line: string, options: RunOptions = {}): Promise<void> {
    return this.runWords(line.split(' '), options);
  }

  async runWords(words: string[], options: RunOptions = {}): Promise<void> {
    const [kubernetes, skypod] = await this.outputs(words, options);
    const label = words.join(' ').replaceAll(this.#twin.run, '<run>');
    const lines = ({ code, stdout, stderr }: Awaited<ReturnType<typeof runCommand>>, side: Side) => {
      const seen = (text: string) => {
        let out = side.normaliser.text(text);
        for (const [from, to] of [...passing, ...(options.replace ?? [])]) out = out.replaceAll(from, to);
        const all = out.split('\n').filter((one) => options.only?.test(one) ?? true);
        return options.sorted ? all.sort() : all;
      };
      return { code, stdout: seen(stdout), stderr: seen(stderr) };
    };
    this.#twin.compareValues(
      label.length > 200 ? `${label.slice(0, 200)}…` : label,
      lines(kubernetes, this.#twin.kubernetes),
      lines(skypod, this.#twin.skypod),
    );
  }

  async outputs(words: string[], { input }: RunOptions = {}) {
    const run = (side: Side) =>
      runCommand(this.#program, ['--namespace', this.namespace, ...words], {
        env: {
          PATH: process.env['PATH'],
          HOME: join(this.#directory, side.name),
          KUBECONFIG: this.#configOf(side),
          TZ: 'UTC',
        },
        cwd: this.#directory,
        ...(input !== undefined && { input }),
      });
    const [kubernetes, skypod] = await Promise.all(this.#twin.sides.map(run));
    return [kubernetes!, skypod!] as const;
  }

  #configOf(side: Side): string {
    return join(this.#directory, `${side.name}.kubeconfig`);
  }
}

function kubeconfig({ endpoint, prefix }: Side) {
  const encode = (text: string | undefined) => Buffer.from(text ?? '').toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'it',
        cluster: {
          server: `https://${endpoint.host}:${endpoint.port}${prefix}`,
          'certificate-authority-data': encode(endpoint.caPem),
        },
      },
    ],
    users: [
      {
        name: 'me',
        user: {
          'client-certificate-data': encode(endpoint.certificatePem),
          'client-key-data': encode(endpoint.keyPem),
        },
      },
    ],
    contexts: [{ name: 'c', context: { cluster: 'it', user: 'me' } }],
    'current-context': 'c',
  };
}
