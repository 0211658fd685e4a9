import type { ImagePullError } from '../sandbox-runtime.ts';

/**
 * What a simulated container does: output and an end, each at an offset from its start, so that it needs no process and
 * at most one timer. A container's program comes from, in this order: the annotation `skypod.io/simulate.<container>`,
 * the annotation `skypod.io/simulate`, an image called `simulate:…`, and the handful of commands of `program.ts`.
 *
 * The annotation is a list of words: `log="ready to serve" after=2s exit=1`.
 * - `exit=N` ends with that code, `oom` ends by the out-of-memory killer; both at `after=` (0 unless given).
 * - `log=TEXT` writes a line at the start (repeatable); `every=1s` writes them again and again until the end.
 * - `run` runs until it is stopped, whatever its command is.
 * - `start=TEXT` fails the start with that message; `term=ignore` ignores SIGTERM, `term=N` ends with that code.
 * - `exec=N` is the exit code of every exec; `cpu=100m` and `memory=64Mi` are what stats report.
 * In an image's tag, `_` parts the words and the first `-` of each stands for `=`: `simulate:exit-1_after-2s`;
 * there, `pull-notFound` (or another kind of ImagePullError) fails the pull.
 */
export interface Behaviour {
  logLines: string[];
  logEveryMs?: number;
  end?: { atMs: number; exitCode: number; reason: 'Completed' | 'Error' | 'OOMKilled' };
  startError?: string;
  /** Exit code after SIGTERM; undefined ignores the signal. */
  terminateExitCode?: number;
  execExitCode?: number;
  pullFailure?: ImagePullError['kind'];
  milliCpu: number;
  memoryBytes: number;
  /** False: nothing was said about when it ends, so the command decides. */
  explicit: boolean;
}

const pullFailures = new Set<string>(['notFound', 'unauthorized', 'invalidName', 'registryUnavailable', 'other']);

const SIMULATE_ANNOTATION = 'skypod.io/simulate';

/** The words that hold for a container; see Behaviour. */
export function behaviourWords(container: string, image: string, annotations: Record<string, string>): string {
  const annotation = annotations[`${SIMULATE_ANNOTATION}.${container}`] ?? annotations[SIMULATE_ANNOTATION];
  if (annotation !== undefined) return annotation;
  return imageWords(image);
}

/** The words in the tag of an image called `simulate`; '' for any other image. */
export function imageWords(image: string): string {
  const match = /(?:^|\/)simulate:([\w.-]+)$/.exec(image);
  return match
    ? match[1]
        .split('_')
        .map((word) => word.replace('-', '='))
        .join(' ')
    : '';
}

export function parseBehaviour(words: string): Behaviour {
  const behaviour: Behaviour = {
    logLines: [],
    terminateExitCode: 143,
    milliCpu: 1,
    memoryBytes: 1 << 20,
    explicit: false,
  };
  let afterMs = 0;
  let exitCode: number | undefined;
  let outOfMemory = false;
  for (const match of words.matchAll(/([a-zA-Z]+)(?:=(?:"([^"]*)"|(\S*)))?/g)) {
    const value = match[2] ?? match[3] ?? '';
    switch (match[1]) {
      case 'exit':
        exitCode = integer('exit', value);
        break;
      case 'oom':
        outOfMemory = true;
        break;
      case 'after':
        afterMs = parseDurationMs(value);
        behaviour.explicit = true;
        break;
      case 'run':
        behaviour.explicit = true;
        break;
      case 'log':
        behaviour.logLines.push(value);
        break;
      case 'every':
        behaviour.logEveryMs = Math.max(parseDurationMs(value), 1);
        break;
      case 'start':
        behaviour.startError = value;
        break;
      case 'term':
        behaviour.terminateExitCode = value === 'ignore' ? undefined : integer('term', value);
        break;
      case 'exec':
        behaviour.execExitCode = integer('exec', value);
        break;
      case 'pull':
        if (!pullFailures.has(value))
          throw new Error(`pull=${value} in ${SIMULATE_ANNOTATION} is not a kind of failure`);
        behaviour.pullFailure = value as ImagePullError['kind'];
        break;
      case 'cpu':
        behaviour.milliCpu = value.endsWith('m') ? integer('cpu', value.slice(0, -1)) : Number(value) * 1000;
        break;
      case 'memory':
        behaviour.memoryBytes = parseBytes(value);
        break;
      default:
        throw new Error(`unknown word ${JSON.stringify(match[1])} in ${SIMULATE_ANNOTATION}`);
    }
  }
  if (outOfMemory) behaviour.end = { atMs: afterMs, exitCode: 137, reason: 'OOMKilled' };
  else if (exitCode !== undefined) {
    behaviour.end = { atMs: afterMs, exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' };
  }
  if (behaviour.end) behaviour.explicit = true;
  return behaviour;
}

function integer(word: string, value: string): number {
  if (!/^\d+$/.test(value)) throw new Error(`${word}=${value} in ${SIMULATE_ANNOTATION} is not a whole number`);
  return Number(value);
}

/** `500ms`, `2s`, `1m`, `1h`; a bare number is seconds. */
function parseDurationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (!match) throw new Error(`${JSON.stringify(text)} is not a duration`);
  const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] ?? 's']!;
  return Number(match[1]) * unitMs;
}

function parseBytes(text: string): number {
  const match = /^(\d+)(Ki|Mi|Gi)?$/.exec(text);
  if (!match) throw new Error(`memory=${text} in ${SIMULATE_ANNOTATION} is not a size`);
  return Number(match[1]) * { '': 1, Ki: 1 << 10, Mi: 1 << 20, Gi: 1 << 30 }[match[2] ?? '']!;
}
