import { compileDeviceSelector, MAX_SELECTOR_COST } from '../cel/device.ts';
import type {
  DeviceClaim,
  DeviceClass,
  DeviceConfiguration,
  DeviceRequest,
  DeviceSelector,
  ResourceClaim,
  ResourceClaimTemplate,
} from '../generated/resource-v1.ts';
import { isDns1123Label, isDns1123Subdomain } from '../names.ts';
import type { ObjectMeta } from '../object.ts';
import { validateDriver, validateFullyQualifiedName } from './device-names.ts';
import type { Findings } from './findings.ts';
import { validateAnnotations, validateImmutable, validateLabels } from './metadata.ts';
import { isExtended } from './pods/resources.ts';

const MAX_LIST = 32;
const MAX_SELECTOR_BYTES = 10 * 1024;
const MAX_PARAMETERS_BYTES = 10 * 1024;
const REQUEST_REFERENCE =
  "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

/** Source: pkg/apis/resource/validation. */
export function validateDeviceClass({ spec }: DeviceClass, findings: Findings): void {
  validateSelectors(spec?.selectors, 'spec.selectors', findings);
  spec?.config?.forEach((config, index) => {
    validateConfiguration(config, `spec.config[${index}]`, findings);
  });
  const name = spec?.extendedResourceName;
  if (name !== undefined && !isExtended(name)) {
    findings.invalid('spec.extendedResourceName', name, 'must be a valid extended resource name');
  }
}

export function validateResourceClaim({ spec }: ResourceClaim, findings: Findings): void {
  validateDeviceClaim(spec?.devices ?? {}, 'spec.devices', findings);
}

/** Nothing else can be wrong than that it changes. */
export function validateResourceClaimUpdate(claim: ResourceClaim, old: ResourceClaim, findings: Findings): void {
  validateImmutable(claim.spec, old.spec, 'spec', findings);
}

export function validateResourceClaimTemplate({ spec }: ResourceClaimTemplate, findings: Findings): void {
  validateTemplateMetadata(spec?.metadata ?? {}, 'spec.metadata', findings);
  validateDeviceClaim(spec?.spec?.devices ?? {}, 'spec.spec.devices', findings);
}

/** Claims have labels and annotations of their template, and nothing else. */
function validateTemplateMetadata(
  metadata: Partial<ObjectMeta> & { selfLink?: string },
  path: string,
  findings: Findings,
): void {
  validateAnnotations(metadata.annotations, `${path}.annotations`, findings);
  validateLabels(metadata.labels, `${path}.labels`, findings);
  for (const field of notOfTemplates) {
    const value = metadata[field];
    if (value === undefined || value === null || value === '' || (field === 'generation' && value === 0)) continue;
    // Upstream's own name of the field, its first letter small.
    findings.forbidden(`${path}.${field === 'uid' ? 'uID' : field}`, 'cannot be set');
  }
}

const notOfTemplates = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'ownerReferences',
  'finalizers',
  'managedFields',
] as const;

export function validateResourceClaimTemplateUpdate(
  template: ResourceClaimTemplate,
  old: ResourceClaimTemplate,
  findings: Findings,
): void {
  validateResourceClaimTemplate(template, findings);
  validateImmutable(template.spec, old.spec, 'spec', findings);
}

function validateDeviceClaim(claim: DeviceClaim, path: string, findings: Findings): void {
  const { requests = [], constraints = [], config = [] } = claim;
  const names = requestNames(requests);
  validateSet(
    requests,
    ({ name }) => name,
    `${path}.requests`,
    findings,
    (request, at) => {
      validateRequest(request, at, findings);
    },
  );
  if (constraints.length > MAX_LIST) findings.tooMany(`${path}.constraints`, constraints.length, MAX_LIST);
  constraints.forEach((constraint, index) => {
    const at = `${path}.constraints[${index}]`;
    validateReferences(constraint.requests, names, `${at}.requests`, findings);
    const { matchAttribute, distinctAttribute } = constraint;
    if (matchAttribute !== undefined) validateFullyQualifiedName(matchAttribute, `${at}.matchAttribute`, findings);
    else if (distinctAttribute !== undefined) {
      validateFullyQualifiedName(distinctAttribute, `${at}.distinctAttribute`, findings);
    } else {
      findings.required(
        at,
        'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set',
      );
    }
  });
  if (config.length > MAX_LIST) findings.tooMany(`${path}.config`, config.length, MAX_LIST);
  config.forEach((one, index) => {
    const at = `${path}.config[${index}]`;
    validateReferences(one.requests, names, `${at}.requests`, findings);
    validateConfiguration(one, at, findings);
  });
}

function validateSet<T>(
  items: T[],
  keyOf: (item: T) => string,
  path: string,
  findings: Findings,
  validate: (item: T, path: string) => void,
): void {
  if (items.length > MAX_LIST) findings.tooMany(path, items.length, MAX_LIST);
  const seen = new Set<string>();
  items.forEach((item, index) => {
    const key = keyOf(item) ?? '';
    validate(item, `${path}[${index}]`);
    if (seen.has(key)) findings.duplicate(`${path}[${index}]`, key);
    seen.add(key);
  });
}

function validateReferences(
  requests: string[] | undefined,
  names: Set<string>,
  path: string,
  findings: Findings,
): void {
  validateSet(
    requests ?? [],
    (name) => name,
    path,
    findings,
    (name, at) => validateReference(name, names, at, findings),
  );
}

/** `names`: as `requestNames` gives them. */
export function validateReference(name: string, names: Set<string>, path: string, findings: Findings): void {
  const segments = name.split('/');
  if (segments.length <= 2) {
    for (const segment of segments) findings.invalidEach(path, segment, isDns1123Label(segment));
  }
  if (segments.length > 2 || !names.has(name)) findings.invalid(path, name, REQUEST_REFERENCE);
}

/** Of requests, and of what each may be had by instead as `REQUEST/SUBREQUEST`. */
export function requestNames(requests: DeviceRequest[] = []): Set<string> {
  const names = new Set<string>();
  for (const { name, firstAvailable } of requests) {
    names.add(name);
    for (const sub of firstAvailable ?? []) names.add(`${name}/${sub.name}`);
  }
  return names;
}

function validateRequest(request: DeviceRequest, path: string, findings: Findings): void {
  const { name = '', exactly, firstAvailable = [] } = request;
  findings.invalidEach(`${path}.name`, name, isDns1123Label(name));
  if (exactly !== undefined && firstAvailable.length > 0) {
    findings.invalid(
      path,
      null,
      'exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set',
    );
  } else if (exactly !== undefined) validateDevices(exactly, `${path}.exactly`, findings);
  else if (firstAvailable.length > 0) {
    const at = `${path}.firstAvailable`;
    validateSet(
      firstAvailable,
      (sub) => sub.name,
      at,
      findings,
      (sub, place) => {
        findings.invalidEach(`${place}.name`, sub.name ?? '', isDns1123Label(sub.name ?? ''));
        validateDevices(sub, place, findings);
      },
    );
  } else findings.required(path, 'exactly one of `exactly` or `firstAvailable` is required');
}

interface Devices {
  deviceClassName?: string;
  selectors?: DeviceSelector[];
  allocationMode?: string;
  count?: number;
}

function validateDevices(devices: Devices, path: string, findings: Findings): void {
  const { deviceClassName, selectors, allocationMode = '', count = 0 } = devices;
  if (!deviceClassName) findings.required(`${path}.deviceClassName`);
  else findings.invalidEach(`${path}.deviceClassName`, deviceClassName, isDns1123Subdomain(deviceClassName));
  validateSelectors(selectors, `${path}.selectors`, findings);
  if (allocationMode === 'All') {
    if (count !== 0) {
      findings.invalid(`${path}.count`, count, "must not be specified when allocationMode is 'All'");
    }
  } else if (allocationMode === 'ExactCount') {
    if (count <= 0) findings.invalid(`${path}.count`, count, 'must be greater than zero');
  } else findings.notSupported(`${path}.allocationMode`, allocationMode, ['All', 'ExactCount']);
}

function validateSelectors(selectors: DeviceSelector[] | undefined, path: string, findings: Findings): void {
  if ((selectors?.length ?? 0) > MAX_LIST) findings.tooMany(path, selectors!.length, MAX_LIST);
  selectors?.forEach(({ cel }, index) => {
    if (cel === undefined) findings.required(`${path}[${index}].cel`);
    else validateSelector(cel.expression ?? '', `${path}[${index}].cel.expression`, findings);
  });
}

function validateSelector(expression: string, path: string, findings: Findings): void {
  if (Buffer.byteLength(expression) > MAX_SELECTOR_BYTES) {
    findings.tooLong(path, MAX_SELECTOR_BYTES);
    return;
  }
  try {
    const { maxCost } = compileDeviceSelector(expression);
    if (maxCost > MAX_SELECTOR_COST) findings.forbidden(path, 'too complex, exceeds cost limit');
  } catch (error) {
    findings.invalid(path, expression, (error as Error).message);
  }
}

export function validateConfiguration({ opaque }: DeviceConfiguration, path: string, findings: Findings): void {
  if (opaque === undefined) {
    findings.required(`${path}.opaque`);
    return;
  }
  validateDriver(opaque.driver, `${path}.opaque.driver`, findings);
  validateParameters(opaque.parameters, `${path}.opaque.parameters`, findings);
}

function validateParameters(parameters: unknown, path: string, findings: Findings): void {
  if (parameters === undefined || parameters === null) findings.required(path);
  else if (Buffer.byteLength(JSON.stringify(parameters)) > MAX_PARAMETERS_BYTES) {
    findings.tooLong(path, MAX_PARAMETERS_BYTES);
  } else if (typeof parameters !== 'object' || Array.isArray(parameters)) {
    findings.invalid(path, '<value omitted>', 'must be a valid JSON object');
  }
}
