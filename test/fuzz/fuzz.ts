import { parse as parseYaml } from 'yaml';
import { schemaOfKind } from '../../src/api/generated-schema.ts';
import { decodeProtobuf } from '../../src/apiserver/protobuf/decode-protobuf.ts';
import { protobufSchema } from '../../src/apiserver/protobuf/encode-protobuf.ts';
import { inputOf } from './inputs.ts';
import type { Input } from './request-parts.ts';
import { aggregatedGroup, guardedNamespace } from './surroundings.ts';
import { type Answer, Target } from './target.ts';

export interface FuzzOptions {
  seed: number;
  /** Number of the first input. */
  from: number;
  inputs: number;
  /** Stop after so long, however many inputs that were. */
  maxMs?: number;
  /** Processor time an input may take, its client's included. */
  slowMs: number;
  onFinding(finding: Finding): void;
  onProgress?(done: number): void;
}

export interface Finding {
  /** Of the input: `--from NUMBER --inputs 1` repeats it, unless it needs what came before. */
  number: number;
  what: string;
  input: Input;
  answer: Answer;
}

export interface FuzzReport {
  inputs: number;
  byCode: Record<string, number>;
  slowestMs: number;
  heapGrowthBytes: number;
}

/** A fresh server for so many inputs: what one holds is bounded, and what the process keeps beyond is seen. */
const generation = 20_000;
const statusSchema = protobufSchema('Status', 'v1') ?? schemaOfKind('', 'v1', 'Status');
const heapAllowanceBytes = 96 * 1024 * 1024;

/** What upstream answers with these codes too. */
const expectedFailures: [number, RegExp][] = [
  [500, /^failed to create typed (patch|live) object /],
  [500, /^resourceVersion should not be set on objects to be created$/],
  // One who deletes the ServiceCIDR has no addresses.
  [500, /failed to allocate a serviceIP for Service .*: range is full$/],
  [500, /^This pod has more than one PodDisruptionBudget, which the eviction subresource does not support\.$/],
  // What tenants' own webhooks answer badly.
  [500, /^Internal error occurred: failed calling webhook /],
  [500, /^conversion webhook for /],
  [
    500,
    /^Internal error occurred: (?:testing value|missing path|.* operation does not apply|error in |unable to decode|couldn't get version\/kind|Unexpected kind|json: cannot unmarshal|admission webhook .* attempted to modify)/,
  ],
  [501, /./],
  [
    503,
    /^(the pool is not connected yet|no endpoints available|the server is currently unable|error trying to reach service|there is no|the server )/,
  ],
  [504, /Too large resource version/],
];

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { seed, from, slowMs, onFinding } = options;
  const report: FuzzReport = { inputs: 0, byCode: {}, slowestMs: 0, heapGrowthBytes: 0 };
  const deadlineMs = performance.now() + (options.maxMs ?? Number.POSITIVE_INFINITY);
  let current: { number: number; input: Input } | undefined;
  const crashed = (kind: string) => (error: unknown) => {
    if (current === undefined) throw error;
    const what = `${kind}: ${error instanceof Error ? error.stack : String(error)}`;
    onFinding({ ...current, what, answer: { code: 0, contentType: '', body: Buffer.alloc(0), cpuMs: 0 } });
  };
  const onRejection = crashed('unhandled rejection');
  const onException = crashed('uncaught exception');
  process.on('unhandledRejection', onRejection);
  process.on('uncaughtException', onException);
  let heapBefore: number | undefined;
  try {
    for (let number = from; number < from + options.inputs && performance.now() < deadlineMs; ) {
      const target = await Target.start();
      const end = Math.min(from + options.inputs, number + generation);
      for (; number < end && performance.now() < deadlineMs; number++) {
        const input = inputOf(seed, number);
        current = { number, input };
        const answer = await target.ask(input, number);
        report.inputs++;
        report.byCode[answer.code] = (report.byCode[answer.code] ?? 0) + 1;
        for (const what of target.logged.splice(0)) onFinding({ number, what, input, answer });
        const problem = problemOf(input, answer);
        if (problem !== undefined) onFinding({ number, what: problem, input, answer });
        if (answer.cpuMs > slowMs) {
          // Compiling and collecting garbage hit anyone; what is slow is slow again.
          const again = await target.ask(input, number);
          const cpuMs = Math.min(answer.cpuMs, again.cpuMs);
          report.slowestMs = Math.max(report.slowestMs, cpuMs);
          if (cpuMs > slowMs) onFinding({ number, what: `slow: ${Math.round(cpuMs)} ms`, input, answer });
        }
        if (report.inputs % 1000 === 0) options.onProgress?.(report.inputs);
      }
      if ((await target.stillOpen()) > 1) {
        const what = 'requests are still being served though none is open';
        onFinding({ number, what, input: current!.input, answer: await target.ask(current!.input) });
      }
      await target.stop();
      current = undefined;
      const heap = await settledHeap();
      if (heap === undefined) continue;
      heapBefore ??= heap;
      report.heapGrowthBytes = heap - heapBefore;
      if (report.heapGrowthBytes > heapAllowanceBytes) {
        throw new Error(`the heap grew by ${Math.round(report.heapGrowthBytes / 2 ** 20)} MiB since the first server`);
      }
    }
  } finally {
    process.off('unhandledRejection', onRejection);
    process.off('uncaughtException', onException);
  }
  return report;
}

function problemOf(input: Input, { code, contentType, body }: Answer): string | undefined {
  // Some inputs are no HTTP/2 at all: one side's library refuses them.
  if (code === -1) return undefined;
  if (input.method === 'RAW') {
    const said = code === 500 ? messageIn(body.toString()) : '';
    return code !== 500 || expectedFailures.some(([, words]) => words.test(said)) ? undefined : `answered with ${code}`;
  }
  // What a tenant's own server says, and where it breaks off.
  if (/\/proxy(\/|\?|$)/.test(input.path) || input.path.includes(`/${aggregatedGroup}/`)) return undefined;
  if (code === 0) return 'cut off without an answer';
  // Without a body nobody sees whether a webhook was it.
  if (input.method === 'HEAD') {
    return code === 500 && !input.path.includes(`/${guardedNamespace}/`) ? `answered with ${code}` : undefined;
  }
  const path = input.path.replace(/^\/clusters\/[^/?]*/, '');
  if (code < 300) {
    if (contentType !== 'application/json' || /[?&]watch(?:=|&|$)|\/watch\/|follow=/.test(input.path)) return undefined;
    try {
      JSON.parse(body.toString());
      return undefined;
    } catch (error) {
      return `an answer that is no JSON: ${(error as Error).message}`;
    }
  }
  if (code < 400 || /^\/(healthz|livez|readyz)/.test(path)) return undefined;
  let status: { kind?: string; status?: string; code?: number; message?: string };
  try {
    status = contentType.includes('protobuf')
      ? decodeProtobuf(body, statusSchema)
      : contentType.includes('yaml')
        ? parseYaml(body.toString())
        : JSON.parse(body.toString());
  } catch {
    // Asked for in another form: the code alone speaks.
    return code === 500 || contentType === 'application/json'
      ? `answered with ${code} and no Status in JSON`
      : undefined;
  }
  if (status.kind !== 'Status' || status.status !== 'Failure' || status.code !== code) {
    return `answered with ${code} and something else than its Status`;
  }
  const { message = '' } = status;
  if (code >= 500 && !expectedFailures.some(([one, words]) => one === code && words.test(message))) {
    return `answered with ${code}: ${message}`;
  }
  return undefined;
}

/** Of the Status in a whole HTTP/1.1 answer. */
function messageIn(answer: string): string {
  try {
    return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))).message;
  } catch {
    return '';
  }
}

/** undefined where garbage cannot be collected on demand. */
async function settledHeap(): Promise<number | undefined> {
  if (globalThis.gc === undefined) return undefined;
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    globalThis.gc();
  }
  return process.memoryUsage().heapUsed;
}

export function describeFinding({ number, what, input, answer }: Finding): string {
  const body = input.body === undefined ? '' : `\n    body: ${show(input.body)}`;
  const headers = Object.keys(input.headers).length === 0 ? '' : `\n    headers: ${JSON.stringify(input.headers)}`;
  return `input ${number}: ${what}\n    ${input.method} ${input.path}${headers}${body}\n    answer: ${answer.code} ${show(answer.body)}`;
}

const show = (bytes: Buffer) => {
  const text = JSON.stringify(bytes.toString());
  return text.length > 1200 ? `${text.slice(0, 1200)}… (${bytes.length} bytes)` : text;
};
