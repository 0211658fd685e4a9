import type { Lifecycle, LifecycleHandler, Probe, ProbeHandler } from '../../generated/core-v1.ts';
import { isHttpHeaderName, isPortName, isPortNumber } from '../../names.ts';
import type { Findings } from '../findings.ts';

export function validatePort(port: number | string | undefined, path: string, findings: Findings): void {
  if (typeof port === 'string') findings.invalidEach(path, port, isPortName(port));
  else findings.invalidEach(path, port ?? 0, isPortNumber(port ?? 0));
}

type Handler = ProbeHandler & LifecycleHandler;
const handlerKinds = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

function validateHandler(
  handler: Handler,
  gracePeriodSeconds: number | undefined,
  path: string,
  findings: Findings,
): void {
  let found = 0;
  for (const kind of handlerKinds) {
    if (handler[kind] === undefined) continue;
    if (found++ > 0) {
      findings.forbidden(`${path}.${kind}`, 'may not specify more than 1 handler type');
      continue;
    }
    const at = `${path}.${kind}`;
    if (kind === 'exec') {
      if (!handler.exec!.command?.length) findings.required(`${at}.command`);
    } else if (kind === 'httpGet') validateHttpGet(handler, at, findings);
    else if (kind === 'tcpSocket') validatePort(handler.tcpSocket!.port, `${at}.port`, findings);
    else if (kind === 'grpc') validatePort(handler.grpc!.port, `${at}.port`, findings);
    else validateSleep(handler.sleep!.seconds, gracePeriodSeconds, at, findings);
  }
  if (found === 0) findings.required(path, 'must specify a handler type');
}

function validateHttpGet({ httpGet }: Handler, path: string, findings: Findings): void {
  const { path: url, port, scheme, httpHeaders } = httpGet!;
  if (!url) findings.required(`${path}.path`);
  validatePort(port, `${path}.port`, findings);
  if (scheme !== 'HTTP' && scheme !== 'HTTPS') findings.notSupported(`${path}.scheme`, scheme ?? '', ['HTTP', 'HTTPS']);
  for (const { name } of httpHeaders ?? []) findings.invalidEach(`${path}.httpHeaders`, name, isHttpHeaderName(name));
}

function validateSleep(
  seconds: number,
  gracePeriodSeconds: number | undefined,
  path: string,
  findings: Findings,
): void {
  if (gracePeriodSeconds === undefined || (seconds >= 0 && seconds <= gracePeriodSeconds)) return;
  findings.invalid(
    path,
    seconds,
    `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriodSeconds})`,
  );
}

export function validateProbe(
  kind: 'livenessProbe' | 'readinessProbe' | 'startupProbe',
  probe: Probe,
  gracePeriodSeconds: number | undefined,
  path: string,
  findings: Findings,
): void {
  validateHandler(probe, gracePeriodSeconds, path, findings);
  findings.nonnegative(probe.initialDelaySeconds, `${path}.initialDelaySeconds`);
  findings.nonnegative(probe.timeoutSeconds, `${path}.timeoutSeconds`);
  findings.nonnegative(probe.periodSeconds, `${path}.periodSeconds`);
  findings.nonnegative(probe.successThreshold, `${path}.successThreshold`);
  findings.nonnegative(probe.failureThreshold, `${path}.failureThreshold`);
  findings.positive(probe.terminationGracePeriodSeconds, `${path}.terminationGracePeriodSeconds`);
  if (kind === 'readinessProbe') {
    if (probe.terminationGracePeriodSeconds !== undefined) {
      findings.invalid(
        `${path}.terminationGracePeriodSeconds`,
        probe.terminationGracePeriodSeconds,
        'must not be set for readinessProbes',
      );
    }
  } else if (probe.successThreshold !== 1) {
    findings.invalid(`${path}.successThreshold`, probe.successThreshold, 'must be 1');
  }
}

export function validateLifecycle(
  { postStart, preStop, stopSignal }: Lifecycle,
  gracePeriodSeconds: number | undefined,
  hasOs: boolean,
  path: string,
  findings: Findings,
): void {
  if (postStart !== undefined) validateHandler(postStart, gracePeriodSeconds, `${path}.postStart`, findings);
  if (preStop !== undefined) validateHandler(preStop, gracePeriodSeconds, `${path}.preStop`, findings);
  if (stopSignal !== undefined && !hasOs) {
    findings.forbidden(`${path}.stopSignal`, 'may not be set for containers with empty `spec.os.name`');
  }
}
