import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Logger } from '../base/log.ts';

/**
 * Keeps one child process alive: a child that dies comes back, at once the first time, then after 0.5 s doubling to
 * 10 s (a minute of good running starts over). The child says `{ready: true}` over IPC, and ends itself when the
 * channel closes, so that nothing outlives a supervisor that was killed.
 */
export interface SupervisedProcess {
  /** Resolves at the first `ready`; rejects when the child ends before it ever was, with its last words. */
  ready: Promise<void>;
  pid(): number | undefined;
  stop(): Promise<void>;
}

export interface SupervisedOptions {
  name: string;
  arguments: string[];
  logFile: string;
  logger: Logger;
  /** How long a child may take to end after SIGTERM before SIGKILL. */
  stopTimeoutMs: number;
  /** What a child that starts has to say in the meantime, a line each. */
  onNotice?(line: string): void;
}

interface ChildMessage {
  ready?: boolean;
  /** A one-line reason the child cannot run at all; the supervisor gives up. */
  fatal?: string;
  notice?: string;
}

export function supervise(options: SupervisedOptions): SupervisedProcess {
  let child: ChildProcess | undefined;
  let stopping = false;
  let wasReady = false;
  let delayMs = 0;
  let restartTimer: NodeJS.Timeout | undefined;
  let markReady: () => void;
  let markFailed: (error: Error) => void;
  const ready = new Promise<void>((resolve, reject) => {
    markReady = resolve;
    markFailed = reject;
  });

  const start = () => {
    const startedAt = Date.now();
    const log = openSync(options.logFile, 'a', 0o600);
    const current = spawn(process.execPath, [...process.execArgv, ...options.arguments], {
      stdio: ['ignore', log, log, 'ipc'],
      // A group of its own: Ctrl-C at the terminal reaches the supervisor only, which ends its children in order.
      detached: true,
    });
    closeSync(log);
    child = current;
    let fatal: string | undefined;
    current.on('message', (message: ChildMessage) => {
      if (message.ready) {
        wasReady = true;
        markReady();
      }
      if (message.fatal !== undefined) fatal = message.fatal;
      if (message.notice !== undefined) options.onNotice?.(message.notice);
    });
    current.once('exit', (code, signal) => {
      if (child === current) child = undefined;
      if (stopping) return;
      options.logger.warn({ process: options.name, code, signal }, 'a child process ended');
      if (!wasReady) {
        markFailed(
          new Error(fatal ?? `the ${options.name} ended (${signal ?? `code ${code}`}); see ${options.logFile}`),
        );
        return;
      }
      delayMs = Date.now() - startedAt > 60_000 ? 0 : delayMs === 0 ? 1 : Math.min(Math.max(delayMs * 2, 500), 10_000);
      restartTimer = setTimeout(start, delayMs);
    });
  };
  start();

  return {
    ready,
    pid: () => child?.pid,
    async stop() {
      stopping = true;
      clearTimeout(restartTimer);
      const current = child;
      if (current === undefined || current.exitCode !== null || current.signalCode !== null) return;
      await new Promise<void>((resolve) => {
        const kill = setTimeout(() => current.kill('SIGKILL'), options.stopTimeoutMs);
        current.once('exit', () => {
          clearTimeout(kill);
          resolve();
        });
        current.kill('SIGTERM');
      });
    },
  };
}

/** In a child: says that it serves. */
export function reportReady(): void {
  process.send?.({ ready: true } satisfies ChildMessage);
}

/** In a child: says in one line why it cannot run. */
export function reportFatal(message: string): void {
  process.send?.({ fatal: message } satisfies ChildMessage);
}

/** In a child: why its start takes so long, in a line. */
export function reportNotice(line: string): void {
  process.send?.({ notice: line } satisfies ChildMessage);
}

/** Aborts on SIGTERM, SIGINT, or when the supervisor is gone. */
export function shutdownSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => controller.abort());
  process.on('disconnect', () => controller.abort());
  return controller.signal;
}
