import type { Container, Probe } from '../../api/generated/core-v1.ts';
import { ExecTimeoutError, type SandboxRuntime } from '../../runtime/sandbox-runtime.ts';
import { expandReferences } from '../worker/containers/environment.ts';
import { grpcHealthCheck } from './grpc-health.ts';
import { type Connect, dialError, httpGet, resolvePort } from './http-request.ts';

export interface ProbeTarget {
  container: Container;
  containerId: string;
  podIp: string;
  runtime: SandboxRuntime;
  connect: Connect;
}

export type ProbeAnswer = { outcome: 'success' | 'warning' | 'failure'; output: string };

/** One attempt. Rejects when the probe itself could not be carried out (the kubelet's "errored"). */
export async function runProbe(probe: Probe, target: ProbeTarget): Promise<ProbeAnswer> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  if (probe.exec !== undefined) return await execProbe(probe.exec.command ?? [], probe.timeoutSeconds ?? 1, target);
  if (probe.httpGet !== undefined) return await httpProbe(probe.httpGet, timeoutMs, target);
  if (probe.tcpSocket !== undefined) {
    const port = resolvePort(probe.tcpSocket.port, target.container);
    const host = probe.tcpSocket.host || target.podIp;
    try {
      (await target.connect(host, port, timeoutMs)).destroy();
      return { outcome: 'success', output: '' };
    } catch (error) {
      return { outcome: 'failure', output: dialError(error, host, port) };
    }
  }
  if (probe.grpc !== undefined) {
    const { port, service } = probe.grpc;
    const failure = await grpcHealthCheck(target.connect, target.podIp, port, service ?? '', timeoutMs);
    return failure === undefined ? { outcome: 'success', output: '' } : { outcome: 'failure', output: failure };
  }
  throw new Error('missing probe handler');
}

async function execProbe(command: string[], timeoutSeconds: number, target: ProbeTarget): Promise<ProbeAnswer> {
  const values = new Map((target.container.env ?? []).map(({ name, value }) => [name, value ?? '']));
  const expanded = command.map((word) => expandReferences(word, values));
  try {
    const { exitCode, stdout, stderr } = await target.runtime.execSync(target.containerId, expanded, timeoutSeconds);
    const output = Buffer.concat([stdout, stderr])
      .subarray(0, 10 * 1024)
      .toString();
    return { outcome: exitCode === 0 ? 'success' : 'failure', output };
  } catch (error) {
    if (error instanceof ExecTimeoutError) {
      return {
        outcome: 'failure',
        output: `command timed out: "${command.join(' ')}" timed out after ${timeoutSeconds}s`,
      };
    }
    throw error;
  }
}

async function httpProbe(
  action: NonNullable<Probe['httpGet']>,
  timeoutMs: number,
  { container, podIp, connect }: ProbeTarget,
): Promise<ProbeAnswer> {
  // A port that does not resolve is the probe's error, not the container's failure.
  resolvePort(action.port, container);
  try {
    const answer = await httpGet({ action, container, podIp, purpose: 'probe', timeoutMs }, connect);
    if (answer.statusCode >= 200 && answer.statusCode < 400) {
      if (answer.statusCode < 300) return { outcome: 'success', output: answer.body };
      return { outcome: 'warning', output: `Probe terminated redirects, Response body: ${answer.body}` };
    }
    return { outcome: 'failure', output: `HTTP probe failed with statuscode: ${answer.statusCode}` };
  } catch (error) {
    return { outcome: 'failure', output: (error as Error).message };
  }
}
