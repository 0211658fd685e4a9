import type { Container, LifecycleHandler } from '../../api/generated/core-v1.ts';
import { sleep } from '../../base/abort.ts';
import type { SandboxRuntime } from '../../runtime/sandbox-runtime.ts';
import { type Connect, httpGet } from '../probes/http-request.ts';

export interface HookTarget {
  container: Container;
  containerId: string;
  podIp: string;
  /** `name_namespace(uid)` */
  pod: string;
  runtime: SandboxRuntime;
  connect: Connect;
  signal: AbortSignal;
}

/** No limit of its own: preStop is bounded by the grace period, postStart by nothing, as the kubelet's. */
const HTTP_TIMEOUT_MS = 30_000;

/** Runs a postStart or preStop handler to its end; rejects with the message the kubelet logs. */
export async function runHook(handler: LifecycleHandler, target: HookTarget): Promise<void> {
  const { container, containerId, podIp, pod, runtime, connect, signal } = target;
  const failed = (kind: string, what: string, error: string, more = '') =>
    new Error(
      `${kind} lifecycle hook (${what}) for Container "${container.name}" in Pod "${pod}" failed - error: ${error}${more}`,
    );
  if (handler.exec !== undefined) {
    const command = handler.exec.command ?? [];
    const words = `[${command.join(' ')}]`;
    let result: Awaited<ReturnType<SandboxRuntime['execSync']>>;
    try {
      result = await runtime.execSync(containerId, command, 0);
    } catch (error) {
      throw failed('Exec', words, (error as Error).message, ', message: ""');
    }
    if (result.exitCode !== 0) {
      const output = Buffer.concat([result.stdout, result.stderr]).toString();
      const error = `command '${command.join(' ')}' exited with ${result.exitCode}: ${result.stderr.toString()}`;
      throw failed('Exec', words, error, `, message: ${JSON.stringify(output)}`);
    }
  } else if (handler.httpGet !== undefined) {
    const get = { action: handler.httpGet, container, podIp, purpose: 'lifecycle', timeoutMs: HTTP_TIMEOUT_MS };
    try {
      await httpGet(get, connect);
    } catch (error) {
      // A server that speaks plain HTTP where HTTPS was asked for is asked once more in plain.
      if (/server gave HTTP response to HTTPS client/.test((error as Error).message)) {
        await httpGet({ ...get, action: { ...handler.httpGet, scheme: 'HTTP' } }, connect);
        return;
      }
      throw failed('HTTP', handler.httpGet.path ?? '', (error as Error).message);
    }
  } else if (handler.sleep !== undefined) {
    await sleep(handler.sleep.seconds * 1000, signal);
  } else {
    throw new Error('Cannot run handler: invalid handler');
  }
}
