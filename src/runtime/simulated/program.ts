/**
 * The few commands a simulated container understands, so that `kubectl run -- sh -c 'echo hi; exit 3'` and most Jobs
 * behave without an annotation: echo, printf, sleep, exit, true, false, env, printenv, hostname, joined by `;`, newline,
 * `&&` and `||`, with `>&2`. The first thing that is not understood is taken for a server that runs for ever.
 */
export interface Program {
  outputs: { atMs: number; stream: 'stdout' | 'stderr'; text: string }[];
  /** Absent: runs until it is stopped. */
  end?: { atMs: number; exitCode: number };
}

export interface ProgramContext {
  environment: Record<string, string>;
  hostname: string;
}

const SHELLS = new Set(['sh', 'bash', 'ash', '/bin/sh', '/bin/bash', '/bin/ash']);

export function isShell(command: string[]): boolean {
  return command.length === 1 && SHELLS.has(command[0]);
}

export function planProgram(command: string[], context: ProgramContext): Program {
  const program: Program = { outputs: [] };
  if (command.length === 0) return program;
  const shellScript = SHELLS.has(command[0]) && command[1]?.startsWith('-') && command[1].endsWith('c');
  const run = new Run(program, context);
  const finished = shellScript ? run.script(command[2] ?? '') : run.command(command);
  if (finished) program.end = { atMs: run.atMs, exitCode: run.exitCode };
  return program;
}

/** One pass over a script; `false` from a method means: from here on it runs for ever. */
class Run {
  atMs = 0;
  exitCode = 0;
  #exited = false;
  readonly #program: Program;
  readonly #context: ProgramContext;

  constructor(program: Program, context: ProgramContext) {
    this.#program = program;
    this.#context = context;
  }

  script(text: string): boolean {
    // Loops, pipes and substitutions are beyond the simulation: such a script is a server.
    if (/(^|[;\s])(while|for|until|if|case|trap)\s|`|\$\(/.test(text)) return false;
    if (/[|&]/.test(text.replace(/&&|\|\||>&2/g, ''))) return false;
    for (const statement of splitOutsideQuotes(text, /^(;|\n)/)) {
      let joiner = '&&';
      this.exitCode = 0;
      for (const part of splitOutsideQuotes(statement, /^(&&|\|\|)/, true)) {
        if (part === '&&' || part === '||') {
          joiner = part;
          continue;
        }
        if ((joiner === '&&') !== (this.exitCode === 0)) continue;
        const words = splitWords(part, this.#context.environment);
        if (words.length === 0) continue;
        if (!this.command(words)) return false;
        if (this.#exited) return true;
      }
    }
    return true;
  }

  command(words: string[]): boolean {
    const stream = words.includes('>&2') || words.includes('1>&2') ? 'stderr' : 'stdout';
    const [name, ...parameters] = words.filter((word) => word !== '>&2' && word !== '1>&2');
    const print = (text: string) => this.#program.outputs.push({ atMs: this.atMs, stream, text });
    this.exitCode = 0;
    switch (name.replace(/^(\/usr)?\/bin\//, '')) {
      case ':':
      case 'true':
        return true;
      case 'false':
        this.exitCode = 1;
        return true;
      case 'exec':
        return this.command(parameters);
      case 'exit':
        this.exitCode = Number(parameters[0] ?? 0) & 255;
        this.#exited = true;
        return true;
      case 'echo':
        print(parameters[0] === '-n' ? parameters.slice(1).join(' ') : `${parameters.join(' ')}\n`);
        return true;
      case 'printf':
        print((parameters[0] ?? '').replaceAll('\\n', '\n'));
        return true;
      case 'hostname':
        print(`${this.#context.hostname}\n`);
        return true;
      case 'env':
      case 'printenv':
        for (const [key, value] of Object.entries(this.#context.environment)) {
          if (parameters.length === 0) print(`${key}=${value}\n`);
          else if (parameters[0] === key) print(`${value}\n`);
        }
        return true;
      case 'sleep': {
        const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(parameters[0] ?? '');
        if (!match) return false;
        this.atMs += Number(match[1]) * { '': 1000, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2]]!;
        return true;
      }
      default:
        return false;
    }
  }
}

function splitOutsideQuotes(text: string, separator: RegExp, keepSeparators = false): string[] {
  const parts: string[] = [''];
  let quote = '';
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (quote) {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") {
      quote = character;
    } else {
      const match = separator.exec(text.slice(index, index + 2));
      if (match) {
        if (keepSeparators) parts.push(match[0]);
        parts.push('');
        index += match[0].length - 1;
        continue;
      }
    }
    parts[parts.length - 1] += character;
  }
  return parts;
}

function splitWords(text: string, environment: Record<string, string>): string[] {
  const words: string[] = [];
  const expand = (part: string) =>
    part.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced, bare) => environment[braced ?? bare] ?? '');
  for (const match of text.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)) {
    words.push(
      match[0].replace(/"([^"]*)"|'([^']*)'|([^"']+)/g, (_, double, single, bare) =>
        single !== undefined ? single : expand(double ?? bare),
      ),
    );
  }
  return words;
}
