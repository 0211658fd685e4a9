import { pathNotFound } from '../../api/status.ts';
import type { Answer } from '../answer.ts';
import type { RequestContext } from '../request-context.ts';

export interface HealthCheck {
  name: string;
  /** Rejects when it is not well. */
  check(): Promise<void> | void;
}

/** /healthz, /livez and /readyz, with `?verbose`, `?exclude=NAME` and `/NAME`. Source: "Kubernetes API health endpoints". */
export async function health(context: RequestContext, checks: HealthCheck[]): Promise<Answer> {
  const [, root = '', only] = context.info.path.split('/');
  const excluded = new Set(context.query.getAll('exclude'));
  const asked =
    only === undefined || only === ''
      ? checks.filter(({ name }) => !excluded.has(name))
      : checks.filter(({ name }) => name === only);
  if (only && asked.length === 0) throw pathNotFound();
  const lines: string[] = [];
  let failed = false;
  for (const { name, check } of asked) {
    try {
      await check();
      lines.push(`[+]${name} ok`);
    } catch {
      failed = true;
      lines.push(`[-]${name} failed: reason withheld`);
    }
  }
  const verbose = failed || context.query.has('verbose');
  const text = verbose ? `${lines.join('\n')}\n${root} check ${failed ? 'failed' : 'passed'}\n` : 'ok';
  return { type: 'bytes', code: failed ? 500 : 200, contentType: 'text/plain; charset=utf-8', bytes: text };
}
