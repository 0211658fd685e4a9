import type { Steps } from '../../../base/steps.ts';
import type { Container, ContainerPort, PodSpec, Volume } from '../../generated/core-v1.ts';
import { isDns1123Label, isPortName, isPortNumber } from '../../names.ts';
import type { Findings } from '../findings.ts';
import { validateVolumeMounts } from '../volumes/volumes.ts';
import { validateUsedClaims } from './claims.ts';
import { validateEnvironment, validateEnvironmentSources } from './environment.ts';
import { validateLifecycle, validateProbe } from './probes.ts';
import { validateResourceRequirements } from './resources.ts';
import { validateContainerSecurity } from './security-context.ts';

/** So many containers are looked at between two steps. */
const containersAtOnce = 16;
/** And of what each has. */
const itemsAtOnce = 256;

const protocols = ['SCTP', 'TCP', 'UDP'];
const pullPolicies = ['Always', 'IfNotPresent', 'Never'];
const probeKinds = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;

/** What a container's validation needs of its pod. */
export interface PodContext {
  spec: PodSpec;
  volumes: Map<string, Volume>;
  hostUsers: boolean;
}

export function* validateContainers(pod: PodContext, path: string, findings: Findings): Steps<void> {
  const { containers } = pod.spec;
  if (!containers?.length) {
    findings.required(path);
    return;
  }
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  for (let i = 0; i < containers.length; i++) {
    const container = containers[i]!;
    const at = `${path}[${i}]`;
    yield* validateCommon(container, pod, at, findings);
    if (names.has(container.name)) findings.duplicate(`${at}.name`, container.name);
    names.add(container.name);
    validateHandlers(container, pod, at, findings);
    validateRestartRules(container, at, findings);
    validateHostPorts(container, hostPorts, at, findings);
    if (i % containersAtOnce === containersAtOnce - 1) yield;
  }
}

export function* validateInitContainers(pod: PodContext, path: string, findings: Findings): Steps<void> {
  const names = new Set((pod.spec.containers ?? []).map((container) => container.name));
  for (const [index, container] of (pod.spec.initContainers ?? []).entries()) {
    const at = `${path}[${index}]`;
    if (index % containersAtOnce === containersAtOnce - 1) yield;
    yield* validateCommon(container, pod, at, findings);
    validateRestartRules(container, at, findings);
    if (names.has(container.name)) findings.duplicate(`${at}.name`, container.name);
    else if (container.name) names.add(container.name);
    validateHostPorts(container, new Set(), at, findings);
    if (container.restartPolicy === 'Always') {
      validateHandlers(container, pod, at, findings);
      continue;
    }
    for (const field of ['lifecycle', ...probeKinds] as const) {
      if (container[field] !== undefined) {
        findings.forbidden(`${at}.${field}`, 'may not be set for init containers without restartPolicy=Always');
      }
    }
  }
}

const ephemeralFields = new Set([
  'name',
  'image',
  'command',
  'args',
  'workingDir',
  'envFrom',
  'env',
  'volumeMounts',
  'volumeDevices',
  'terminationMessagePath',
  'terminationMessagePolicy',
  'imagePullPolicy',
  'securityContext',
  'stdin',
  'stdinOnce',
  'tty',
  'targetContainerName',
]);

export function* validateEphemeralContainers(pod: PodContext, path: string, findings: Findings): Steps<void> {
  const names = new Set(
    [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])].map((container) => container.name),
  );
  const targets = new Set(names);
  for (const [index, container] of (pod.spec.ephemeralContainers ?? []).entries()) {
    const at = `${path}[${index}]`;
    if (index % containersAtOnce === containersAtOnce - 1) yield;
    yield* validateCommon(container as Container, pod, at, findings);
    if (names.has(container.name)) findings.duplicate(`${at}.name`, container.name);
    names.add(container.name);
    if (container.targetContainerName && !targets.has(container.targetContainerName)) {
      findings.notFound(`${at}.targetContainerName`, container.targetContainerName);
    }
    container.volumeMounts?.forEach((mount, at2) => {
      for (const field of ['subPath', 'subPathExpr'] as const) {
        const place = `${at}.volumeMounts[${at2}].${field}`;
        if (mount[field]) findings.forbidden(place, 'cannot be set for an Ephemeral Container');
      }
    });
    for (const [field, value] of Object.entries(container)) {
      const isSet = typeof value !== 'object' || Object.keys(value).length > 0;
      if (isSet && !ephemeralFields.has(field)) {
        findings.forbidden(`${at}.${field}`, 'cannot be set for an Ephemeral Container');
      }
    }
  }
}

function* validateCommon(container: Container, pod: PodContext, path: string, findings: Findings): Steps<void> {
  if (!container.name) findings.required(`${path}.name`);
  else {
    const details = isDns1123Label(container.name);
    if (details.length > 0) findings.invalidEach(`${path}.name`, container.name, details);
  }
  if (!container.image) findings.required(`${path}.image`);
  findings.oneOf(container.terminationMessagePolicy, `${path}.terminationMessagePolicy`, [
    'File',
    'FallbackToLogsOnError',
  ]);
  if (container.ports !== undefined) yield* validatePorts(container.ports, `${path}.ports`, findings);
  if (container.env !== undefined) yield* validateEnvironment(container.env, `${path}.env`, findings);
  validateEnvironmentSources(container.envFrom, `${path}.envFrom`, findings);
  yield* validateVolumeMounts(container, pod.volumes, path, findings);
  findings.oneOf(container.imagePullPolicy, `${path}.imagePullPolicy`, pullPolicies);
  validateResourceRequirements(container.resources, `${path}.resources`, findings);
  validateUsedClaims(container.resources?.claims, pod.spec.resourceClaims, `${path}.resources.claims`, findings);
  validateResizePolicy(container, pod.spec.restartPolicy, `${path}.resizePolicy`, findings);
  validateContainerSecurity(container.securityContext, pod.hostUsers, `${path}.securityContext`, findings);
}

function* validatePorts(ports: ContainerPort[], path: string, findings: Findings): Steps<void> {
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    if (index % itemsAtOnce === itemsAtOnce - 1) yield;
    const at = `${path}[${index}]`;
    if (port.name) {
      const details = isPortName(port.name);
      findings.invalidEach(`${at}.name`, port.name, details);
      if (details.length === 0 && names.has(port.name)) findings.duplicate(`${at}.name`, port.name);
      names.add(port.name);
    }
    if (!port.containerPort) findings.required(`${at}.containerPort`);
    else findings.invalidEach(`${at}.containerPort`, port.containerPort, isPortNumber(port.containerPort));
    if (port.hostPort) findings.invalidEach(`${at}.hostPort`, port.hostPort, isPortNumber(port.hostPort));
    findings.oneOf(port.protocol, `${at}.protocol`, protocols);
  }
}

function validateHostPorts(container: Container, taken: Set<string>, path: string, findings: Findings): void {
  container.ports?.forEach((port, index) => {
    if (!port.hostPort) return;
    const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
    if (taken.has(key)) findings.duplicate(`${path}.ports[${index}].hostPort`, key);
    taken.add(key);
  });
}

function validateHandlers(container: Container, pod: PodContext, path: string, findings: Findings): void {
  const { os } = pod.spec;
  const given = pod.spec.terminationGracePeriodSeconds;
  // A negative period is a second, wherever it is looked at.
  const terminationGracePeriodSeconds = given !== undefined && given < 0 ? 1 : given;
  if (container.lifecycle !== undefined) {
    validateLifecycle(
      container.lifecycle,
      terminationGracePeriodSeconds,
      os !== undefined,
      `${path}.lifecycle`,
      findings,
    );
  }
  for (const kind of probeKinds) {
    const probe = container[kind];
    if (probe !== undefined) validateProbe(kind, probe, terminationGracePeriodSeconds, `${path}.${kind}`, findings);
  }
}

function validateRestartRules(container: Container, path: string, findings: Findings): void {
  const { restartPolicy, restartPolicyRules: rules = [] } = container;
  if (restartPolicy === undefined) {
    if (rules.length > 0) {
      findings.required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used');
    }
  } else findings.optionalOneOf(restartPolicy, `${path}.restartPolicy`, ['Always', 'Never', 'OnFailure']);
  if (rules.length > 20) findings.tooMany(`${path}.restartPolicyRules`, rules.length, 20);
  rules.forEach((rule, index) => {
    const at = `${path}.restartPolicyRules[${index}]`;
    findings.optionalOneOf(rule.action ?? '', `${at}.action`, ['Restart', 'RestartAllContainers']);
    if (rule.exitCodes === undefined) findings.required(`${at}.exitCodes`, 'must be specified');
    else findings.optionalOneOf(rule.exitCodes.operator ?? '', `${at}.exitCodes.operator`, ['In', 'NotIn']);
  });
}

function validateResizePolicy(
  container: Container,
  podRestartPolicy: string | undefined,
  path: string,
  findings: Findings,
): void {
  const seen = new Set<string>();
  container.resizePolicy?.forEach(({ resourceName, restartPolicy }, index) => {
    if (seen.has(resourceName)) findings.duplicate(`${path}[${index}]`, resourceName);
    seen.add(resourceName);
    findings.oneOf(resourceName, path, ['cpu', 'memory']);
    findings.oneOf(restartPolicy, path, ['NotRequired', 'RestartContainer']);
    if (podRestartPolicy === 'Never' && restartPolicy !== 'NotRequired') {
      findings.invalid(path, restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
    }
  });
}
